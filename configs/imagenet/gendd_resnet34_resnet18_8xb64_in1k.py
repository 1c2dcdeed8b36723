"""ResNet-34 -> ResNet-18 on ImageNet-1k, 100 epochs.

    bash tools/dist_train.sh configs/imagenet/gendd_resnet34_resnet18_8xb64_in1k.py 8 --resume

Top-1 reported by the authors: generative path, 5 draws, 72.38;
linear probe, trained anew by the published probe protocol, 72.40.
"""

_base_ = [
    '../_base_/models/gendd_imagenet.py',
    '../_base_/models/teachers/resnet34.py',
    '../_base_/models/students/resnet18.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_100e_warmup10.py',
    '../_base_/default_runtime.py',
]
stage1 = dict(config='{{ fileDirname }}/_base_/warmup.py')

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
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}})
            )
        ),
    ),
)
