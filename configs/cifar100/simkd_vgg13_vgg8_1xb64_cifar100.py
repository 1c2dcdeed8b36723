"""SimKD of vgg13 -> vgg8 on CIFAR-100.

    python tools/train.py configs/cifar100/simkd_vgg13_vgg8_1xb64_cifar100.py

The data, optimiser and epochs of KL distillation of the pair, those of the CRD
benchmark. The teacher's checkpoint is named twice: override both.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images.
"""

_base_ = [
    '../_base_/models/simkd_cifar100.py',
    '../_base_/models/teachers/cifar100_vgg13.py',
    '../_base_/models/students/cifar100_vgg8.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(
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
