"""resnet32x4 -> ShuffleNetV1 on CIFAR-100.

python tools/train.py configs/cifar100/gendd_resnet32x4_shufflenet-v1_1xb128_cifar100.py --resume
"""

_base_ = [
    '_base_/gendd_1xb128_shufflenet.py',
    '../_base_/models/teachers/cifar100_resnet32x4.py',
    '../_base_/models/students/cifar100_shufflenet-v1.py',
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
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}}),
                contraction=dict(strength=0.7),
            )
        ),
    ),
)
