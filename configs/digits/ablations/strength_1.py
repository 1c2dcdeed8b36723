"""Contraction all the way: the targets are the centres.

bash tools/dist_train.sh configs/digits/ablations/strength_1.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=dict(strength=1)))))
