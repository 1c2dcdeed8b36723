"""KL distillation (KD) of resnet56 -> resnet20 on CIFAR-100.

    python tools/train.py \\
        configs/cifar100/kd_resnet56_resnet20_1xb64_cifar100.py

With the settings of the CRD benchmark.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images. Top-1 reported by that benchmark, five runs: 70.66.
"""

_base_ = [
    '../_base_/models/kd_cifar100.py',
    '../_base_/models/teachers/cifar100_resnet56.py',
    '../_base_/models/students/cifar100_resnet20.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
