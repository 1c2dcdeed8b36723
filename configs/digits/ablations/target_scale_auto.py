"""Targets of unit variance.

bash tools/dist_train.sh configs/digits/ablations/target_scale_auto.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(head=dict(target_scale='auto')))))
