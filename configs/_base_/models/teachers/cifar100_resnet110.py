"""resnet110 of the CRD benchmark as a teacher on CIFAR-100: feature 64."""

_base_ = ['cifar100.py']
teacher_dim = 64
teacher_ckpt = 'checkpoints/resnet110_cifar100.pth'

teacher = dict(
    backbone=dict(type='gendd_mm.CIFARResNet', depth=110), head=dict(in_channels=teacher_dim)
)
