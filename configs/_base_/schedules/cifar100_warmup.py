"""Stage 1 on CIFAR-100: 50 epochs of AdamW, a cosine to 0."""

_base_ = ['imagenet_warmup.py']
epochs = 50

optim_wrapper = dict(optimizer=dict(lr=3e-3, weight_decay=5e-2))
param_scheduler = [dict(_base_.param_scheduler[0], end=epochs, eta_min=0)]
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=epochs)
