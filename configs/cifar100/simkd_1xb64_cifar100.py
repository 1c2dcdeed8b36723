"""SimKD on CIFAR-100.

    TEACHER=resnet110 STUDENT=resnet32 \\
        python tools/train.py configs/cifar100/simkd_1xb64_cifar100.py

The data, optimiser and epochs are those of KD. The teacher's checkpoint is named
twice: override both.
"""

_base_ = [
    '../_base_/models/simkd.py',
    '../_base_/models/cifar100_pair.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/simkd_{{$TEACHER:resnet56}}_{{$STUDENT:resnet20}}_1xb64_cifar100'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(
            num_classes=100,
            in_channels={{_base_.student_dim}},
            teacher_dim={{_base_.teacher_dim}},
            teacher_ckpt={{_base_.teacher_ckpt}},
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
