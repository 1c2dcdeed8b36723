"""Tokens of another size than 32, which makes 8 of a feature.

    TOKEN_DIM=16 bash tools/dist_train.sh configs/digits/ablations/token_size.py 2

Tokens of 128 are as wide as the head.
"""

_base_ = ['../../gendd_digits.py']
work_dir = 'work_dirs/token_size_{{$TOKEN_DIM:128}}'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(head=dict(tokenizer=dict(token_dim={{'$TOKEN_DIM:128'}})))
        )
    )
)
