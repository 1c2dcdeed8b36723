"""One evaluation: the posterior mean at the noisiest step.

    python tools/test.py configs/digits/ablations/steps_1.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(sampling=dict(type='one_step', num_steps=1))))
    )
)
