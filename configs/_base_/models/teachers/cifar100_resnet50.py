"""ResNet-50 of the CRD benchmark as a teacher on CIFAR-100: feature 2,048."""

_base_ = ['cifar100.py']
teacher_dim = 2048
teacher_ckpt = 'checkpoints/ResNet50_cifar100.pth'

teacher = dict(
    backbone=dict(type='mmpretrain.ResNet_CIFAR', depth=50), head=dict(in_channels=teacher_dim)
)
