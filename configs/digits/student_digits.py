"""The student of the digits alone, on labels: the baseline of distillation.

python tools/train.py configs/digits/student_digits.py
DATA=long_tailed python tools/train.py configs/digits/student_digits.py
"""

_base_ = [
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits_{{$DATA:supervised}}.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]
work_dir = 'work_dirs/student_digits_{{$DATA:supervised}}'

model = dict(
    type='ImageClassifier',
    backbone={{_base_.student_backbone}},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels={{_base_.student_dim}},
        loss=dict(type='CrossEntropyLoss'),
    ),
)
