"""Stage 1 on ImageNet-LT, 20 epochs; the pair is that of stage 2."""

_base_ = [
    '../../_base_/models/warmup.py',
    '../../_base_/datasets/imagenet_lt_warmup.py',
    '../../_base_/schedules/imagenet_lt_warmup.py',
    '../../_base_/default_runtime.py',
]

model = dict(data_preprocessor={{_base_.student_preprocessor}})
