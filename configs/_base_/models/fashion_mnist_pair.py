"""Teacher and student for 28x28 grey images: residual networks.

Teacher: ResNet-18 at width 24, features of 192. Student: its first three
stages at width 4, features of 16, about a 50th of the multiply-adds;
``configs/fashion_mnist/large.py`` has one of width 9, about a tenth.
"""

teacher_dim = 192
student_dim = 16

teacher = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        in_channels=1,
        stem_channels=24,
        base_channels=24,
        # 14x14 from the first stage on, where most multiply-adds are.
        strides=(2, 2, 2, 2),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=teacher_dim,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
__teacher = 'teacher_long_tailed' if '{{$DATA:supervised}}' == 'long_tailed' else 'teacher'
teacher_ckpt = f'work_dirs/{__teacher}_fashion_mnist/epoch_8.pth'

student_backbone = dict(
    type='ResNet_CIFAR',
    depth=18,
    in_channels=1,
    num_stages=3,
    strides=(2, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(2,),
    stem_channels=4,
    base_channels=4,
)
