"""ResNeXt-101-32x4d as a teacher on ImageNet-LT: feature 2,048.

Trained by ``configs/imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt.py``.
"""

_base_ = ['imagenet.py']
teacher_dim = 2048
teacher_ckpt = 'work_dirs/resnext101-32x4d_8xb32_imagenet-lt/epoch_100.pth'

teacher = dict(
    backbone=dict(type='ResNeXt', depth=101, groups=32, width_per_group=4),
    head=dict(in_channels=teacher_dim),
)
