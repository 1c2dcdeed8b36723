"""Naive GenDD on the digits: one token, the whole feature (the ablation).

    bash tools/dist_train.sh configs/digits/gendd_digits_naive.py 2

The head is as wide as its one token, 256, where the split one has 128: through a
narrower one the noise of 256 dimensions cannot pass, and what failed would be
that bottleneck, not the missing split.
"""

_base_ = ['../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    tokenizer=dict(token_dim={{_base_.teacher_dim}}),
                    denoiser=dict(width={{_base_.teacher_dim}}),
                )
            )
        )
    )
)
