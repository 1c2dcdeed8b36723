"""Decoupled distillation (DKD) of BEiTv2-L -> ResNet-50 by the A1 or A2 recipe.

    RECIPE=a1 bash tools/dist_train.sh \\
        configs/imagenet/dkd_beitv2-large_resnet50_8xb64_in1k.py 8

A baseline of GenDD: the same data, augmentation, optimiser and epochs, but no
stage 1. The authors' settings for it are not known to us.
"""

_base_ = [
    '../_base_/models/dkd.py',
    '../_base_/models/teachers/beitv2_large.py',
    '../_base_/models/students/resnet50.py',
    '../_base_/datasets/imagenet_a1.py',
    '../_base_/schedules/imagenet_{{$RECIPE:a2}}.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/dkd_beitv2-large_resnet50_8xb64-{{$RECIPE:a2}}_in1k'

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        head=dict(in_channels={{_base_.student_dim}}),
        train_cfg={{_base_.student_train_cfg}},
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
