"""Stage 1 of ResNeXt-101-32x4d -> ResNet-50 on ImageNet-LT.

    bash tools/dist_train.sh \\
        configs/imagenet_lt/resnet50_8xb32-warmup-resnext101-32x4d-20e_imagenet-lt.py \\
        8

``gendd_resnext101-32x4d_resnet50_8xb32_imagenet-lt.py`` runs it before GenDD.

Hardware: 8 GPUs x 32 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images.
"""

_base_ = [
    '../_base_/models/warmup.py',
    '../_base_/models/teachers/resnext101_lt.py',
    '../_base_/models/students/resnet50.py',
    '../_base_/datasets/imagenet_lt_warmup.py',
    '../_base_/schedules/imagenet_lt_warmup.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor={{_base_.student_preprocessor}},
    backbone={{_base_.student_backbone}},
    head=dict(
        in_channels={{_base_.student_dim}},
        teacher_dim={{_base_.teacher_dim}},
        teacher_ckpt={{_base_.teacher_ckpt}},
    ),
)
