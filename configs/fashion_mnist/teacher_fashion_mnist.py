"""The teacher of Fashion-MNIST, on labels.

    python tools/train.py configs/fashion_mnist/teacher_fashion_mnist.py

On all 60,000 training images, as the students' 12,000 are for time alone.
"""
_base_ = [
    '../_base_/models/fashion_mnist_pair.py',
    '../_base_/datasets/fashion_mnist.py',
    '../_base_/schedules/fashion_mnist.py', '../_base_/default_runtime.py'
]

model = {{_base_.teacher}}
optim_wrapper = dict(optimizer=dict(lr=2e-3))
