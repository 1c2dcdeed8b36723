"""Feature mixup with the paper's beta of 1.

bash tools/dist_train.sh configs/digits/ablations/feature_mixup.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict(feature_mixup=dict(beta=1.0)))))
