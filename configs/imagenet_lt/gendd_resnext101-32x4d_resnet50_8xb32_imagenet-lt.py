"""ResNeXt-101-32x4d -> ResNet-50 on ImageNet-LT.

    bash tools/dist_train.sh \\
        configs/imagenet_lt/gendd_resnext101-32x4d_resnet50_8xb32_imagenet-lt.py 8 --resume

Needs the teacher, ``resnext101-32x4d_8xb32_imagenet-lt.py``.
"""

_base_ = ['_base_/gendd.py', '../_base_/models/students/resnet50.py']

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(loss_gendd=dict(head=dict(condition_dim={{_base_.student_dim}}))),
    ),
)
