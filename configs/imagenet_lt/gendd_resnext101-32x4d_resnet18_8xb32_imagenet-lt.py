"""ResNeXt-101-32x4d -> ResNet-18 on ImageNet-LT, 100 epochs.

    bash tools/dist_train.sh \\
        configs/imagenet_lt/gendd_resnext101-32x4d_resnet18_8xb32_imagenet-lt.py \\
        8 --resume

Needs the teacher, ``resnext101-32x4d_8xb32_imagenet-lt.py``. Runs stage 1, 20
epochs of warm-up, first. Labels train the probe alone: no contraction.

Hardware: 8 GPUs x 32 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images. Result: not run, and not published.
"""

_base_ = [
    '../_base_/models/gendd_imagenet.py',
    '../_base_/models/teachers/resnext101_lt.py',
    '../_base_/models/students/resnet18.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/imagenet_lt.py',
    '../_base_/default_runtime.py',
]
stage1 = dict(config='{{ fileDirname }}/resnet18_8xb32-warmup-resnext101-32x4d-20e_imagenet-lt.py')

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        head=dict(in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}}),
                contraction=dict(strength=0.0),
            )
        ),
    ),
)
