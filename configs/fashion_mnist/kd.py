"""KL distillation (arXiv 1503.02531) at temperature 4, beside cross-entropy.

DATA=long_tailed python tools/train.py configs/fashion_mnist/kd.py
"""

_base_ = ['../_base_/models/kd.py', '../_base_/models/fashion_mnist_pair.py', '_base_/run.py']
work_dir = 'work_dirs/kd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=10, in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(distill_losses=dict(loss_kl=dict(tau=4))),
)
