"""Contraction to the running mean of each class's features.

bash tools/dist_train.sh configs/digits/ablations/centers_feature_mean.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                contraction=dict(
                    centers=dict(
                        type='FeatureMeanCenters',
                        num_classes=10,
                        feature_dim={{_base_.teacher_dim}},
                    )
                )
            )
        )
    )
)
