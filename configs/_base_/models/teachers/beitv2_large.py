"""BEiTv2-L as a teacher: patches of 16, images of 224, feature 1024.

Its feature is the mean of the patch tokens after the last layer norm, which
``out_type='avg_featmap'`` gives and ``head.fc`` takes: there is no neck.
"""

teacher_dim = 1024
teacher_ckpt = 'checkpoints/beitv2_large_in1k.pth'

teacher = dict(
    type='ImageClassifier',
    # BEiTv2's own: unlike BEiT's (0.5), that of ImageNet.
    data_preprocessor=dict(
        type='ClsDataPreprocessor',
        num_classes=1000,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(
        type='BEiTViT', arch='large', img_size=224, patch_size=16, out_type='avg_featmap'
    ),
    neck=None,
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=teacher_dim,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
