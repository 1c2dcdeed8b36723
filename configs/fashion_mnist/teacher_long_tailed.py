"""The teacher of the long tail, on the same images.

python tools/train.py configs/fashion_mnist/teacher_long_tailed.py
"""

_base_ = ['../_base_/models/fashion_mnist_pair.py', '_base_/long_tailed.py']
work_dir = 'work_dirs/teacher_long_tailed_fashion_mnist'

model = {{_base_.teacher}}
optim_wrapper = dict(optimizer=dict(lr=2e-3))
