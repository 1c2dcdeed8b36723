"""Teacher and student for 8x8 digits: residual networks, features 256 and 8.

The student is shallow and narrow: one stage of two blocks, eight channels.
"""

teacher_dim = 256
student_dim = 8

teacher = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=32, base_channels=32),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=teacher_dim,
        loss=dict(type='CrossEntropyLoss'),
    ),
)

student_backbone = dict(
    type='ResNet_CIFAR',
    depth=18,
    num_stages=1,
    strides=(1,),
    dilations=(1,),
    out_indices=(0,),
    stem_channels=student_dim,
    base_channels=student_dim,
)
