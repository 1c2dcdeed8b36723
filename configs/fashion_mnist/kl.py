"""KL distillation at temperature 4 and nothing beside it: no labels.

DATA=unlabeled python tools/train.py configs/fashion_mnist/kl.py
"""

_base_ = ['kd.py']
work_dir = 'work_dirs/kl_fashion_mnist_{{$DATA:supervised}}'

# The losses of both would read labels.
unlabeled = dict(type='gendd_mm.UnlabeledClsHead')
model = dict(architecture=dict(head=unlabeled), teacher=dict(head=unlabeled))
