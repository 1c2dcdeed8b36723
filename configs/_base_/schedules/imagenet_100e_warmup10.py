"""GenDD on ImageNet: 100 epochs, 10 of warm-up."""

_base_ = ['imagenet_100e.py']
warmup = 10

param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    dict(_base_.cosine_lr, begin=warmup, end=_base_.epochs),
    dict(_base_.rising_beta2, end=_base_.epochs),
]
