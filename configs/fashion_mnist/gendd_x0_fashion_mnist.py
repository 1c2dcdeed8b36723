"""GenDD on Fashion-MNIST, predicting the clean token.

python tools/train.py configs/fashion_mnist/gendd_x0_fashion_mnist.py
"""

_base_ = ['_base_/gendd_x0.py', '_base_/supervised.py']
