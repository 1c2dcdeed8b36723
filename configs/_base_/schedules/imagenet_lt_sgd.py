"""SGD of the teacher on ImageNet-LT: 100 epochs, 10 of warm-up, batch 256.

Its rate changes once an epoch: epoch e of the warm-up has e / 10 of it, the
first next to nothing.
"""

_base_ = ['imagenet_sgd.py']
epochs = 100
warmup = 10

optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=5e-4))
param_scheduler = [
    # MMEngine divides by start_factor, and ends a step before end.
    dict(type='LinearLR', start_factor=1e-8, by_epoch=True, begin=0, end=warmup + 1),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=warmup, end=epochs),
]
auto_scale_lr = dict(base_batch_size=256)
train_cfg = dict(max_epochs=epochs, val_interval=1)
