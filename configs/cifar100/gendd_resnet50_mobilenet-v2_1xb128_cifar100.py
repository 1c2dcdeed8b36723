"""ResNet-50 -> MobileNetV2 (half) on CIFAR-100.

python tools/train.py configs/cifar100/gendd_resnet50_mobilenet-v2_1xb128_cifar100.py --resume

Unlike with the other pairs, the generative head is decayed.
"""

_base_ = [
    '_base_/gendd_1xb128_cosine.py',
    '../_base_/models/teachers/cifar100_resnet50.py',
    '../_base_/models/students/cifar100_mobilenet-v2.py',
]

# One decay for both stages and the head, not for the condition's norm.
stage1 = dict(optim_wrapper=dict(optimizer=dict(weight_decay=2e-2)))
optim_wrapper = dict(
    optimizer=dict(weight_decay=2e-2),
    paramwise_cfg=dict(custom_keys={'distiller.distill_losses': dict(decay_mult=1.0)}),
)

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
                head=dict(
                    condition_dim={{_base_.student_dim}},
                    target_dim={{_base_.teacher_dim}},
                    repeats=10,
                ),
                contraction=dict(strength=0.8),
            )
        ),
    ),
)
