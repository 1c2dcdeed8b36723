"""The student alone, on labels."""

_base_ = ['../../_base_/models/fashion_mnist_pair.py']

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
