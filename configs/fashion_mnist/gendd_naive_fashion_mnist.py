"""Naive GenDD on Fashion-MNIST: one token (the ablation).

python tools/train.py configs/fashion_mnist/gendd_naive_fashion_mnist.py
"""

_base_ = ['_base_/gendd_naive.py', '_base_/supervised.py']
