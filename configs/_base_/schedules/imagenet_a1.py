"""A1: 600 epochs of AdamW, 20 of warm-up, cosine; beta2 rises."""
epochs = 600
warmup = 20

optim_wrapper = dict(
    optimizer=dict(
        type='AdamW', lr=2e-3, betas=(0.9, 0.96), weight_decay=1e-2),
    # The generative head and the condition's norm: no decay.
    paramwise_cfg=dict(custom_keys=dict(distiller=dict(decay_mult=0.))))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        by_epoch=True,
        begin=0,
        end=warmup,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        by_epoch=True,
        begin=warmup,
        end=epochs,
        convert_to_iter_based=True),
    dict(
        type='gendd_mm.CosineAnnealingBeta2',
        by_epoch=True,
        begin=0,
        end=epochs,
        convert_to_iter_based=True),
]
# For --auto-scale-lr: 8 GPUs x 64 images.
auto_scale_lr = dict(base_batch_size=512)

train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()
