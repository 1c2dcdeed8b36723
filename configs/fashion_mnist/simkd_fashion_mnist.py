"""SimKD on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/simkd_fashion_mnist.py
"""

_base_ = ['_base_/simkd.py', '_base_/supervised.py']
