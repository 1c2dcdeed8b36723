"""Tokens of 16: 16 instead of 8.

bash tools/dist_train.sh configs/digits/ablations/token_16.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(tokenizer=dict(token_dim=16)))))
)
