"""KL distillation alone on unlabeled Fashion-MNIST.

python tools/train.py configs/fashion_mnist/kl_fashion_mnist_unlabeled.py
"""

_base_ = ['_base_/kl.py', '_base_/unlabeled.py']
