"""Noisy copies of a token: 2 instead of 8.

bash tools/dist_train.sh configs/digits/ablations/repeats_2.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(repeats=2)))))
