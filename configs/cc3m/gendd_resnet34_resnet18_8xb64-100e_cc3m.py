"""ResNet-34 -> ResNet-18 on CC3M without labels.

    bash tools/dist_train.sh configs/cc3m/gendd_resnet34_resnet18_8xb64-100e_cc3m.py 8 --resume

Top-1 on ImageNet reported by the authors: generative path, 5 draws, 66.90.
"""

_base_ = [
    '_base_/gendd.py',
    '../_base_/models/teachers/resnet34.py',
    '../_base_/models/students/resnet18.py',
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
