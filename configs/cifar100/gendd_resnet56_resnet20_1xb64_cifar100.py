"""resnet56 -> resnet20 on CIFAR-100.

python tools/train.py configs/cifar100/gendd_resnet56_resnet20_1xb64_cifar100.py --resume
"""

_base_ = [
    '_base_/gendd.py',
    '../_base_/models/teachers/cifar100_resnet56.py',
    '../_base_/models/students/cifar100_resnet20.py',
]

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}})
            )
        ),
    ),
)
