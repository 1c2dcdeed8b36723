"""resnet32x4 of the CRD benchmark as a teacher on CIFAR-100: feature 256."""

_base_ = ['cifar100.py']
teacher_dim = 256
teacher_ckpt = 'checkpoints/resnet32x4_cifar100.pth'

teacher = dict(
    backbone=dict(type='gendd_mm.CIFARResNet', depth=32, stem_channels=32, base_channels=64),
    head=dict(in_channels=teacher_dim),
)
