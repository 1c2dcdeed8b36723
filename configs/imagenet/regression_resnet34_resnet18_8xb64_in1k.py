"""GenDD's network as a regression: ResNet-34 -> ResNet-18 on ImageNet-1k.

    bash tools/dist_train.sh \\
        configs/imagenet/regression_resnet34_resnet18_8xb64_in1k.py 8 --resume

``RegressionHead``, the same network, for the generative one; all else is of
GenDD's config, stage 1 too.

Hardware: 8 GPUs x 64 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images.
"""

_base_ = ['gendd_resnet34_resnet18_8xb64_in1k.py']

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
