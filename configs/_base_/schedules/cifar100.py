"""GenDD on CIFAR-100: 240 epochs, 50 of warm-up, then steps; beta2 rises."""

_base_ = ['imagenet.py']
epochs = 240
warmup = 50

optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.95), weight_decay=5e-2))
step_lr = dict(type='MultiStepLR', milestones=[150, 180, 210], gamma=0.1, by_epoch=True)
param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    step_lr,
    dict(_base_.rising_beta2, end=epochs),
]
# One GPU.
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=epochs)
