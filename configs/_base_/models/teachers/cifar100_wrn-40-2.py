"""wrn_40_2 of the CRD benchmark as a teacher on CIFAR-100: feature 128."""

_base_ = ['cifar100.py']
teacher_dim = 128
teacher_ckpt = 'checkpoints/wrn_40_2_cifar100.pth'

teacher = dict(
    backbone=dict(type='mmrazor.WideResNet', depth=40, widen_factor=2),
    head=dict(in_channels=teacher_dim),
)
