"""One modulation layer for all blocks.

bash tools/dist_train.sh configs/digits/ablations/modulation_shared.py 2
"""

_base_ = ['../../gendd_digits.py']

model = dict(
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(denoiser=dict(modulation='shared'))))
    )
)
