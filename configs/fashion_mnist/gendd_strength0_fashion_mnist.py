"""GenDD on Fashion-MNIST without contraction.

    python tools/train.py \\
        configs/fashion_mnist/gendd_strength0_fashion_mnist.py
"""

_base_ = ['_base_/gendd_strength0.py', '_base_/supervised.py']
