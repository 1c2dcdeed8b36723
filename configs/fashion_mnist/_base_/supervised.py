"""12,000 labelled images, 8 epochs."""

_base_ = [
    '../../_base_/datasets/fashion_mnist_12k.py',
    '../../_base_/schedules/fashion_mnist.py',
    '../../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=3, max_keep_ckpts=1))
