"""The student of Fashion-MNIST alone, on labels.

python tools/train.py configs/fashion_mnist/student_fashion_mnist.py
"""

_base_ = ['_base_/student.py', '_base_/supervised.py']
