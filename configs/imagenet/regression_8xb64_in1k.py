"""GenDD's network as a regression on ImageNet-1k.

    TEACHER=resnet50 STUDENT=mobilenet-v1 \\
        bash tools/dist_train.sh configs/imagenet/regression_8xb64_in1k.py 8 --resume

``RegressionHead``, the same network, takes the place of the generative one; all
else is from GenDD's config of the pair, stage 1 too.
"""

_base_ = ['gendd_{{$TEACHER:resnet34}}_{{$STUDENT:resnet18}}_8xb64_in1k.py']
work_dir = 'work_dirs/regression_{{$TEACHER:resnet34}}_{{$STUDENT:resnet18}}_8xb64_in1k'

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
