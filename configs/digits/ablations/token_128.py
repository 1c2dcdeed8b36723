"""Tokens of 128: 2 instead of 8. As wide as the head.

bash tools/dist_train.sh configs/digits/ablations/token_128.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(tokenizer=dict(token_dim=128)))))
)
