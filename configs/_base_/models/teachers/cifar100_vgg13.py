"""vgg13 of the CRD benchmark as a teacher on CIFAR-100: feature 512."""

_base_ = ['cifar100.py']
teacher_dim = 512
teacher_ckpt = 'checkpoints/vgg13_cifar100.pth'

teacher = dict(
    backbone=dict(type='gendd_mm.CIFARVGG', depth=13), head=dict(in_channels=teacher_dim)
)
