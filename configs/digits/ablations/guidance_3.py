"""Guidance of 3.0 instead of 2.

    python tools/test.py configs/digits/ablations/guidance_3.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(sampling=dict(type='dpmpp_2m', num_steps=3, guidance_scale=3.0))
            )
        )
    )
)
