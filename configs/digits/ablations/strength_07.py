"""Contraction of strength 0.7 instead of 0.9.

bash tools/dist_train.sh configs/digits/ablations/strength_07.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=dict(strength=0.7)))))
