"""The teacher of the long tail, on the same images.

python tools/train.py configs/fashion_mnist/teacher_long_tailed.py
"""

_base_ = [
    '../_base_/models/fashion_mnist_pair.py',
    '../_base_/datasets/fashion_mnist_long_tailed.py',
    '../_base_/schedules/fashion_mnist.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/teacher_long_tailed_fashion_mnist'

model = {{_base_.teacher}}
optim_wrapper = dict(optimizer=dict(lr=2e-3))
default_hooks = dict(checkpoint=dict(interval=3, max_keep_ckpts=1))
