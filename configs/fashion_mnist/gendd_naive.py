"""Naive GenDD: one token, the whole feature.

DATA=long_tailed python tools/train.py configs/fashion_mnist/gendd_naive.py

The head is as wide as that token, 192: through a narrower one its noise cannot
pass, and what failed would be that bottleneck, not the missing split.
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/gendd_naive_fashion_mnist_{{$DATA:supervised}}'

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
