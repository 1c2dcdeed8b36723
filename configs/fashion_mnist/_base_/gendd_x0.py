"""GenDD that predicts the clean token, of unit variance, from the noisier half.

Its variance is not learned.
"""

_base_ = ['gendd.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    target_scale='auto',
                    process=dict(
                        type='GaussianDiffusion',
                        prediction='x0',
                        learned_variance=False,
                        timesteps=dict(type='uniform', low=0.5),
                    ),
                )
            )
        )
    )
)
