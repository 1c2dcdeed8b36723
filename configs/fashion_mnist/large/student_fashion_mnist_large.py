"""The student of Fashion-MNIST alone, on labels, the larger student.

    python tools/train.py \\
        configs/fashion_mnist/large/student_fashion_mnist_large.py
"""

_base_ = ['../student_fashion_mnist.py']

student_dim = 36

model = dict(backbone=dict(stem_channels=9, base_channels=9), head=dict(in_channels=student_dim))
