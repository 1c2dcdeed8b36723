"""Stage 1 of A2: with its augmentation; mixup and CutMix come from stage 2."""

_base_ = [
    '../../_base_/models/warmup.py',
    '../../_base_/datasets/imagenet_a1_warmup.py',
    '../../_base_/schedules/imagenet_warmup.py',
    '../../_base_/default_runtime.py',
]

model = dict(data_preprocessor={{_base_.student_preprocessor}})
