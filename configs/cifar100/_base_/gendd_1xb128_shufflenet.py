"""GenDD from resnet32x4 for the ShuffleNets: shorter warm-ups, stage 1 at 1e-5."""

_base_ = ['gendd_1xb128.py']
stage1 = dict(config='{{ fileDirname }}/warmup_1xb128_shufflenet.py')
warmup = 20

param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    _base_.step_lr,
    dict(_base_.rising_beta2, end=_base_.epochs),
]
