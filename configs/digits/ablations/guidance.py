"""Another guidance than 2; 1 is none.

    GUIDANCE=1.5 python tools/test.py configs/digits/ablations/guidance.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']
work_dir = 'work_dirs/guidance_{{$GUIDANCE:1.0}}'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    sampling=dict(type='dpmpp_2m', num_steps=3, guidance_scale={{'$GUIDANCE:1.0'}})
                )
            )
        )
    )
)
