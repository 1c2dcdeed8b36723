"""torchvision's ResNet-34 as a teacher on ImageNet: feature 512."""

_base_ = ['imagenet.py']
teacher_dim = 512
teacher_ckpt = 'checkpoints/resnet34_in1k.pth'

teacher = dict(backbone=dict(type='ResNet', depth=34), head=dict(in_channels=teacher_dim))
