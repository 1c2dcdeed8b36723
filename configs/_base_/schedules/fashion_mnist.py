"""That of the digits with eight epochs and half the rate."""

_base_ = ['digits.py']
epochs = 8

optim_wrapper = dict(optimizer=dict(lr=5e-3))
__warmup, __cosine, __beta2 = _base_.param_scheduler
param_scheduler = [__warmup, dict(__cosine, end=epochs), dict(__beta2, end=epochs)]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
