"""DDIM, three steps, instead of DPM-Solver++.

    python tools/test.py configs/digits/ablations/sampler_ddim.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(sampling=dict(type='ddim', num_steps=3))))
    )
)
