"""GenDD that predicts the clean token, of unit variance, from the noisier half.

DATA=long_tailed python tools/train.py configs/fashion_mnist/gendd_x0.py

Its variance is not learned.
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/gendd_x0_fashion_mnist_{{$DATA:supervised}}'

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
