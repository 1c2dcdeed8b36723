"""8 epochs on the images that DATA chooses."""

_base_ = [
    '../../_base_/datasets/fashion_mnist_{{$DATA:supervised}}.py',
    '../../_base_/schedules/fashion_mnist.py',
    '../../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=3, max_keep_ckpts=1))
