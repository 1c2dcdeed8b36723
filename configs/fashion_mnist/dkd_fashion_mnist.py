"""Decoupled distillation on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/dkd_fashion_mnist.py
"""

_base_ = ['_base_/dkd.py', '_base_/supervised.py']
