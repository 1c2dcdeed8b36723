"""KL distillation between standardised logits on Fashion-MNIST.

python tools/train.py configs/fashion_mnist/lskd_fashion_mnist.py
"""

_base_ = ['_base_/lskd.py', '_base_/supervised.py']
