"""The published linear probe: SGD for 100 epochs, cosine to 0, no decay.

``tools/probe_config.py`` makes the config of a run with it. The total batch of
512 is that of the recipes, the momentum 0.9 is ours: neither is published for
the probe.
"""

optim_wrapper = dict(optimizer=dict(type='SGD', lr=30, momentum=0.9, weight_decay=0))
# It ends with the last epoch.
param_scheduler = dict(
    type='CosineAnnealingLR', eta_min=0, by_epoch=True, convert_to_iter_based=True
)
# For --auto-scale-lr: 8 GPUs x 64 images.
auto_scale_lr = dict(base_batch_size=512)

train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=10)
val_cfg = dict()
test_cfg = dict()
