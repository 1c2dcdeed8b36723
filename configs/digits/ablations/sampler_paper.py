"""The paper's sampling: 64 ancestral steps from the last one, 5 draws.

    python tools/test.py configs/digits/ablations/sampler_paper.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    test_num_draws=5,
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(head=dict(sampling=dict(type='ancestral', num_steps=64, start_t=999)))
        )
    ),
)
