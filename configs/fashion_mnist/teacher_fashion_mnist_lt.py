"""The teacher of the long tail, on the same images.

python tools/train.py configs/fashion_mnist/teacher_fashion_mnist_lt.py
"""

_base_ = ['../_base_/models/fashion_mnist_pair.py', '_base_/long_tailed.py']

model = {{_base_.teacher}}
optim_wrapper = dict(optimizer=dict(lr=2e-3))
