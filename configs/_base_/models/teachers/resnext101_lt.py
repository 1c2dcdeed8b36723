"""ResNeXt-101-32x4d as a teacher on ImageNet-LT: feature 2,048.

Trained by ``configs/imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt.py``, of which
the best epoch is taken. Its blocks start as torchvision's.
"""

_base_ = ['imagenet.py']
teacher_dim = 2048
teacher_ckpt = 'work_dirs/resnext101-32x4d_8xb32_imagenet-lt/best_*.pth'

teacher = dict(
    backbone=dict(
        type='ResNeXt', depth=101, groups=32, width_per_group=4, zero_init_residual=False
    ),
    head=dict(in_channels=teacher_dim),
)
