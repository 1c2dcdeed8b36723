"""Decoupled distillation (arXiv 2203.08679): temperature 4, weights 1 and 8.

DATA=long_tailed python tools/train.py configs/fashion_mnist/dkd.py
"""

_base_ = ['../_base_/models/dkd.py', '../_base_/models/fashion_mnist_pair.py', '_base_/run.py']
work_dir = 'work_dirs/dkd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=10, in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(distill_losses=dict(loss_dkd=dict(tau=4, beta=8.0))),
)
