"""Decoupled distillation on a long tail of Fashion-MNIST.

python tools/train.py configs/fashion_mnist/dkd_fashion_mnist_lt.py
"""

_base_ = ['_base_/dkd.py', '_base_/long_tailed.py']

model = dict(teacher_ckpt='work_dirs/teacher_fashion_mnist_lt/epoch_8.pth')
