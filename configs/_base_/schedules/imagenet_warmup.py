"""Stage 1 on ImageNet: 20 epochs of AdamW, cosine, no warm-up of the rate."""

epochs = 20

# The weight decay is that of stage 2.
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.999), weight_decay=2e-2))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        by_epoch=True,
        begin=0,
        end=epochs,
        convert_to_iter_based=True,
    ),
]
# For --auto-scale-lr: 8 GPUs x 64 images.
auto_scale_lr = dict(base_batch_size=512)

train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
