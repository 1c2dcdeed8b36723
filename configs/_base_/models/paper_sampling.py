"""GenDD with the paper's sampler: ancestral, guidance 2, 5 draws for a test.

The steps, 64, are ImageNet's. The paper starts from step 999; 950 is sounder
(docs/method.md). The default of the components is few steps and
2 draws, much cheaper.
"""

_base_ = ['gendd_supervised.py']

model = dict(
    val_num_draws=1,
    test_num_draws=5,
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    sampling=dict(type='ancestral', num_steps=64, start_t=950, guidance_scale=2.0)
                )
            )
        )
    ),
)
