"""Noisy copies of a token: 32 instead of 8.

bash tools/dist_train.sh configs/digits/ablations/repeats_32.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(repeats=32)))))
