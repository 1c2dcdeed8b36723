"""GenDD's network as a regression on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/regression_fashion_mnist.py
"""

_base_ = ['_base_/regression.py', '_base_/supervised.py']
