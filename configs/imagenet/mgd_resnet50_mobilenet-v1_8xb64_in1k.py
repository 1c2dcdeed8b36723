"""Masked generative distillation of ResNet-50 -> MobileNetV1 on ImageNet-1k.

    bash tools/dist_train.sh \\
        configs/imagenet/mgd_resnet50_mobilenet-v1_8xb64_in1k.py 8

The data, optimiser and epochs of KL distillation of the pair. The student
needs timm.

Hardware: 8 GPUs x 64 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images.
"""

_base_ = [
    '../_base_/models/mgd.py',
    '../_base_/models/teachers/resnet50.py',
    '../_base_/models/students/mobilenet_v1.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        head=dict(in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(
            generator=dict(
                student_channels={{_base_.student_dim}}, teacher_channels={{_base_.teacher_dim}}
            )
        )
    ),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
