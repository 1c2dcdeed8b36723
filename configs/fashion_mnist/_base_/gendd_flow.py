"""GenDD by a rectified flow on targets of unit variance, four Euler steps."""

_base_ = ['gendd.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    target_scale='auto',
                    process=dict(type='RectifiedFlow'),
                    sampling=dict(type='euler', num_steps=4),
                )
            )
        )
    )
)
