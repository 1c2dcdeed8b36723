"""GenDD on a long tail of Fashion-MNIST, predicting the clean token.

python tools/train.py configs/fashion_mnist/gendd_x0_fashion_mnist_lt.py
"""

_base_ = ['_base_/gendd_x0.py', '_base_/long_tailed.py']

model = dict(teacher_ckpt='work_dirs/teacher_fashion_mnist_lt/epoch_8.pth')
