"""Naive GenDD: one token, the whole feature.

The head is as wide as that token, 192: through a narrower one its noise cannot
pass, and what failed would be that bottleneck, not the missing split.
"""

_base_ = ['gendd.py']

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
