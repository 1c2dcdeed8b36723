"""BEiTv2-B as a teacher: as BEiTv2-L, but of feature 768."""

_base_ = ['beitv2_large.py']
teacher_dim = 768
teacher_ckpt = 'checkpoints/beitv2_base_in1k.pth'

teacher = dict(backbone=dict(arch='base'), head=dict(in_channels=teacher_dim))
