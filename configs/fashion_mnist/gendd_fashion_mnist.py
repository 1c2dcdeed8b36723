"""GenDD on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/gendd_fashion_mnist.py
"""

_base_ = ['_base_/gendd.py', '_base_/supervised.py']
