"""Masked generative distillation of resnet56 -> resnet20 on CIFAR-100.

    python tools/train.py \\
        configs/cifar100/mgd_resnet56_resnet20_1xb64_cifar100.py

The data, optimiser and epochs of KL distillation of the pair, those of the CRD
benchmark.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images.
"""

_base_ = [
    '../_base_/models/mgd_cifar100.py',
    '../_base_/models/teachers/cifar100_resnet56.py',
    '../_base_/models/students/cifar100_resnet20.py',
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
    distiller=dict(
        connectors=dict(
            generator=dict(
                student_channels={{_base_.student_dim}}, teacher_channels={{_base_.teacher_dim}}
            )
        ),
        distill_losses=dict(
            loss_mgd=dict(alpha_mgd=_base_.weight_of_mean / (_base_.teacher_dim * 8 * 8))
        ),
    ),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
