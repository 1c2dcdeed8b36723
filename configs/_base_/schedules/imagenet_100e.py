"""GenDD on ImageNet: 100 epochs, 20 of warm-up."""

_base_ = ['imagenet.py']
epochs = 100
warmup = 20

param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    dict(_base_.cosine_lr, begin=warmup, end=epochs),
    dict(_base_.rising_beta2, end=epochs),
]
train_cfg = dict(max_epochs=epochs)
