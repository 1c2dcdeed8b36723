"""Masked generative distillation on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/mgd_fashion_mnist.py
"""

_base_ = ['_base_/mgd.py', '_base_/supervised.py']
