"""The student alone, on labels.

DATA=long_tailed python tools/train.py configs/fashion_mnist/student.py
"""

_base_ = ['../_base_/models/fashion_mnist_pair.py', '_base_/run.py']
work_dir = 'work_dirs/student_fashion_mnist_{{$DATA:supervised}}'

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
