"""The student of the long tail of Fashion-MNIST alone.

python tools/train.py configs/fashion_mnist/student_fashion_mnist_lt.py
"""

_base_ = ['_base_/student.py', '_base_/long_tailed.py']
