"""12,000 shifted images without labels, 8 epochs."""

_base_ = [
    '../../_base_/datasets/fashion_mnist_shifted.py',
    '../../_base_/schedules/fashion_mnist.py',
    '../../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=3, max_keep_ckpts=1))
