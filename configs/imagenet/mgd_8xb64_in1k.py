"""Masked generative distillation (MGD) on ImageNet-1k.

    TEACHER=resnet50 STUDENT=mobilenet-v1 \\
        bash tools/dist_train.sh configs/imagenet/mgd_8xb64_in1k.py 8

The data, optimiser and epochs are those of KD.
"""

_base_ = [
    '../_base_/models/mgd.py',
    '../_base_/models/imagenet_pair.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/mgd_{{$TEACHER:resnet34}}_{{$STUDENT:resnet18}}_8xb64_in1k'

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
