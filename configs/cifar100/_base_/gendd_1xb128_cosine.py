"""GenDD on CIFAR-100 for MobileNetV2: a cosine in the place of the steps."""

_base_ = ['gendd_1xb128.py']

param_scheduler = [
    dict(_base_.linear_lr, end=_base_.warmup),
    dict(_base_.cosine_lr, begin=_base_.warmup, end=_base_.epochs),
    dict(_base_.rising_beta2, end=_base_.epochs),
]
