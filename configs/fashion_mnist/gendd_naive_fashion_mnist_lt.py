"""Naive GenDD on a long tail of Fashion-MNIST: one token (the ablation).

python tools/train.py configs/fashion_mnist/gendd_naive_fashion_mnist_lt.py
"""

_base_ = ['_base_/gendd_naive.py', '_base_/long_tailed.py']

model = dict(teacher_ckpt='work_dirs/teacher_fashion_mnist_lt/epoch_8.pth')
