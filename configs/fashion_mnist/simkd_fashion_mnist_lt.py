"""SimKD on a long tail of Fashion-MNIST.

python tools/train.py configs/fashion_mnist/simkd_fashion_mnist_lt.py
"""

_base_ = ['_base_/simkd.py', '_base_/long_tailed.py']

teacher_ckpt = 'work_dirs/teacher_fashion_mnist_lt/epoch_8.pth'
model = dict(teacher_ckpt=teacher_ckpt, architecture=dict(head=dict(teacher_ckpt=teacher_ckpt)))
