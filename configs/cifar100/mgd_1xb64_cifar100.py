"""Masked generative distillation (MGD) on CIFAR-100, a weight of our own.

    TEACHER=resnet110 STUDENT=resnet32 \\
        python tools/train.py configs/cifar100/mgd_1xb64_cifar100.py

The data, optimiser and epochs are those of KD.
"""

_base_ = [
    '../_base_/models/mgd.py',
    '../_base_/models/cifar100_pair.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/mgd_{{$TEACHER:resnet56}}_{{$STUDENT:resnet20}}_1xb64_cifar100'

# MMRazor sums over the map. The authors' 7e-5 on ResNet-34's 512x7x7 is 1.756
# of the mean.
weight_of_mean = 7e-5 * 512 * 7 * 7
# The last maps are 8x8, those of the VGGs 4x4.
__side = 4 if '{{$TEACHER:resnet56}}' == 'vgg13' else 8

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=100, in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(
            generator=dict(
                student_channels={{_base_.student_dim}}, teacher_channels={{_base_.teacher_dim}}
            )
        ),
        distill_losses=dict(
            loss_mgd=dict(alpha_mgd=weight_of_mean / (_base_.teacher_dim * __side * __side))
        ),
    ),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
