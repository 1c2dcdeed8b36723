"""GenDD's network as a regression: the same MLP without diffusion.

All else is GenDD's: contraction, tokens, the teacher's classifier, the probe.

    bash tools/dist_train.sh configs/digits/regression_digits.py 2
"""

_base_ = ['../gendd_digits.py']

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
