"""Noisy copies of a token: 1 instead of 8.

bash tools/dist_train.sh configs/digits/ablations/repeats_1.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(repeats=1)))))
