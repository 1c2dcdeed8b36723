"""Logit-standardised KD (LSKD) of wrn_40_2 -> wrn_16_2 on CIFAR-100.

    python tools/train.py \\
        configs/cifar100/lskd_wrn-40-2_wrn-16-2_1xb64_cifar100.py

The data, optimiser and epochs of KL distillation of the pair, those of the CRD
benchmark.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images.
"""

_base_ = [
    '../_base_/models/lskd_cifar100.py',
    '../_base_/models/teachers/cifar100_wrn_40_2.py',
    '../_base_/models/students/cifar100_wrn_16_2.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
