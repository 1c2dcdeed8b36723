"""What the schedules of GenDD on ImageNet share: AdamW, a total batch of 512.

A schedule that uses it sets the epochs, of which ``warmup`` raise the rate::

    param_scheduler = [
        dict(_base_.linear_lr, end=warmup),
        dict(_base_.cosine_lr, begin=warmup, end=epochs),
        dict(_base_.rising_beta2, end=epochs),
    ]
"""

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.96), weight_decay=2e-2),
    # The generative head and the condition's norm: no decay. Absent from the
    # other methods.
    paramwise_cfg=dict(custom_keys=dict(distiller=dict(decay_mult=0.0))),
)

linear_lr = dict(
    type='LinearLR', start_factor=1e-3, by_epoch=True, begin=0, convert_to_iter_based=True
)
cosine_lr = dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, convert_to_iter_based=True)
rising_beta2 = dict(
    type='gendd_mm.CosineAnnealingBeta2', by_epoch=True, begin=0, convert_to_iter_based=True
)
# For --auto-scale-lr: 8 GPUs x 64 images.
auto_scale_lr = dict(base_batch_size=512)

train_cfg = dict(by_epoch=True, val_interval=10)
val_cfg = dict()
test_cfg = dict()
