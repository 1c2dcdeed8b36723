"""Contraction to classifier rows as long as the features.

bash tools/dist_train.sh configs/digits/ablations/centers_feature_norm.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                contraction=dict(centers=dict(type='ClassifierCenters', scale='feature_norm'))
            )
        )
    )
)
