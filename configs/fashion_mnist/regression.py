"""GenDD's network as a regression: all of GenDD but the diffusion.

DATA=long_tailed python tools/train.py configs/fashion_mnist/regression.py
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/regression_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    _delete_=True,
                    type='RegressionHead',
                    condition_dim={{_base_.student_dim}},
                    target_dim={{_base_.teacher_dim}},
                    tokenizer=dict(type='SplitTokenizer', token_dim=32),
                    denoiser=dict(type='TokenDenoiser', width=128, depth=3),
                )
            )
        )
    )
)
