"""Stage 1 of resnet32x4 -> vgg8 on CIFAR-100.

    python tools/train.py \\
        configs/cifar100/vgg8_1xb64-warmup-resnet32x4-50e_cifar100.py

``gendd_resnet32x4_vgg8_1xb64_cifar100.py`` runs it before GenDD.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images.
"""

_base_ = [
    '../_base_/models/warmup.py',
    '../_base_/models/teachers/cifar100_resnet32x4.py',
    '../_base_/models/students/cifar100_vgg8.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_warmup.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone={{_base_.student_backbone}},
    head=dict(
        num_classes=100,
        in_channels={{_base_.student_dim}},
        teacher_dim={{_base_.teacher_dim}},
        teacher_ckpt={{_base_.teacher_ckpt}},
    ),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
