"""vgg13 -> resnet20 on CIFAR-100.

python tools/train.py configs/cifar100/gendd_vgg13_resnet20_1xb64_cifar100.py --resume

Starts from the best epoch of stage 1, not the last.
"""

_base_ = [
    '_base_/gendd.py',
    '../_base_/models/teachers/cifar100_vgg13.py',
    '../_base_/models/students/cifar100_resnet20.py',
]

stage1 = dict(
    train_cfg=dict(val_interval=1),
    default_hooks=dict(checkpoint=dict(save_best='accuracy/top1', rule='greater')),
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
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}})
            )
        ),
    ),
)
