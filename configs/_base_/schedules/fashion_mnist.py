"""That of the digits with half the rate and EPOCHS epochs, eight by default."""

_base_ = ['digits.py']
epochs = int('{{$EPOCHS:8}}')

optim_wrapper = dict(optimizer=dict(lr=5e-3))
__warmup, __cosine, __beta2 = _base_.param_scheduler
param_scheduler = [__warmup, dict(__cosine, end=epochs), dict(__beta2, end=epochs)]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
