"""KL distillation (KD) on ImageNet-1k.

    TEACHER=resnet50 STUDENT=mobilenet-v1 \\
        bash tools/dist_train.sh configs/imagenet/kd_8xb64_in1k.py 8

The baseline of GenDD: the same data, and the schedule that the recipe states
for KL on CC3M. The authors' settings for this one are not known to us.
"""

_base_ = [
    '../_base_/models/kd.py',
    '../_base_/models/imagenet_pair.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_sgd.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/kd_{{$TEACHER:resnet34}}_{{$STUDENT:resnet18}}_8xb64_in1k'

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        head=dict(in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    # As MMRazor's KD of ResNet-34 -> ResNet-18.
    distiller=dict(distill_losses=dict(loss_kl=dict(loss_weight=3))),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
