"""Pairs of opposite noise on evenly spread steps.

bash tools/dist_train.sh configs/digits/ablations/noise_antithetic.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(noise_sampling='antithetic'))))
)
