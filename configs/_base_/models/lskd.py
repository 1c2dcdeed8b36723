"""KL between standardised logits (LSKD, arXiv 2403.01427); the pair is open.

Temperature and weights are its authors' for ImageNet: cross-entropy with 1, the
KL with 9 at base temperature 2.
"""

_base_ = ['kd.py']

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kl=dict(
                _delete_=True, type='gendd_mm.LogitStandardizationLoss', tau=2.0, loss_weight=9.0
            )
        )
    )
)
