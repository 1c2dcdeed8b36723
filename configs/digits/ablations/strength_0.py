"""No contraction: labels reach the probe alone.

bash tools/dist_train.sh configs/digits/ablations/strength_0.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=dict(strength=0)))))
