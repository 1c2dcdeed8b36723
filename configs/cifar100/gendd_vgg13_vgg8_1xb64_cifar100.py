"""vgg13 -> vgg8 on CIFAR-100, 240 epochs.

    python tools/train.py \\
        configs/cifar100/gendd_vgg13_vgg8_1xb64_cifar100.py --resume

README.md says what it needs. Runs stage 1, 50 epochs of warm-up, first.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images. Result: not run; the authors' could not be obtained.
"""

_base_ = [
    '../_base_/models/gendd_cifar100.py',
    '../_base_/models/teachers/cifar100_vgg13.py',
    '../_base_/models/students/cifar100_vgg8.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100.py',
    '../_base_/default_runtime.py',
]
stage1 = dict(config='{{ fileDirname }}/vgg8_1xb64-warmup-vgg13-50e_cifar100.py')

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}}),
                contraction=dict(strength=0.7),
            )
        ),
    ),
)
