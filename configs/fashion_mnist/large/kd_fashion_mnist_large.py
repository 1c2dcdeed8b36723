"""KL distillation on Fashion-MNIST, the larger student.

python tools/train.py configs/fashion_mnist/large/kd_fashion_mnist_large.py
"""

_base_ = ['../kd_fashion_mnist.py']

student_dim = 36

model = dict(
    architecture=dict(
        backbone=dict(stem_channels=9, base_channels=9), head=dict(in_channels=student_dim)
    )
)
