"""GenDD on Fashion-MNIST by a rectified flow.

python tools/train.py configs/fashion_mnist/gendd_flow_fashion_mnist.py
"""

_base_ = ['_base_/gendd_flow.py', '_base_/supervised.py']
