"""KL distillation on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/kd_fashion_mnist.py
"""

_base_ = ['_base_/kd.py', '_base_/supervised.py']
