"""The network gives the clean token, trained on the noisier half.

bash tools/dist_train.sh configs/digits/ablations/x0_late.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    process=dict(
                        type='GaussianDiffusion',
                        prediction='x0',
                        timesteps=dict(type='uniform', low=0.5),
                    )
                )
            )
        )
    )
)
