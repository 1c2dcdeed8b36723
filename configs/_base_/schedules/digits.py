"""AdamW, one epoch of warm-up, cosine; beta2 rises; the head has no decay."""

epochs = 20

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-2, betas=(0.9, 0.96), weight_decay=2e-2),
    # The head and the condition's norm. Absent from the other methods.
    paramwise_cfg=dict(custom_keys=dict(distiller=dict(decay_mult=0.0))),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        by_epoch=True,
        begin=1,
        end=epochs,
        convert_to_iter_based=True,
    ),
    dict(
        type='gendd_mm.CosineAnnealingBeta2',
        by_epoch=True,
        begin=0,
        end=epochs,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
