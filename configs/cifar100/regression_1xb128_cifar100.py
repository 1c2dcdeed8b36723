"""GenDD's network as a regression on CIFAR-100, for the light students.

    TEACHER=vgg13 STUDENT=mobilenet-v2 \\
        python tools/train.py configs/cifar100/regression_1xb128_cifar100.py --resume

``RegressionHead``, the same network, takes the place of the generative one; all
else is from GenDD's config of the pair, stage 1 too.
"""

_base_ = ['gendd_{{$TEACHER:resnet32x4}}_{{$STUDENT:shufflenet-v1}}_1xb128_cifar100.py']
work_dir = 'work_dirs/regression_{{$TEACHER:resnet32x4}}_{{$STUDENT:shufflenet-v1}}_1xb128_cifar100'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    _delete_=True,
                    type='RegressionHead',
                    condition_dim={{_base_.student_dim}},
                    target_dim={{_base_.teacher_dim}},
                )
            )
        )
    )
)
