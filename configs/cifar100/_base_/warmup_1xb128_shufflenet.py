"""Stage 1 of the ShuffleNets after resnet32x4: 20 epochs at 1e-5."""

_base_ = ['warmup_1xb128.py']
epochs = 20

optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [dict(_base_.param_scheduler[0], end=epochs)]
train_cfg = dict(max_epochs=epochs)
