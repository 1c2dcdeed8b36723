"""torchvision's ResNet-50 as a teacher on ImageNet: feature 2,048."""

_base_ = ['imagenet.py']
teacher_dim = 2048
teacher_ckpt = 'checkpoints/resnet50_in1k.pth'

teacher = dict(backbone=dict(type='ResNet', depth=50), head=dict(in_channels=teacher_dim))
