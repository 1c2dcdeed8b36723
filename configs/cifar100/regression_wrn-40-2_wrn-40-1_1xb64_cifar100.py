"""GenDD's network as a regression: wrn_40_2 -> wrn_40_1 on CIFAR-100.

    python tools/train.py \\
        configs/cifar100/regression_wrn-40-2_wrn-40-1_1xb64_cifar100.py --resume

``RegressionHead``, the same network, for the generative one; all else is of
GenDD's config, stage 1 too.

Hardware: one GPU. Cost: unknown, not run by us; two steps of it have been, on
small synthetic images.
"""

_base_ = ['gendd_wrn-40-2_wrn-40-1_1xb64_cifar100.py']

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
