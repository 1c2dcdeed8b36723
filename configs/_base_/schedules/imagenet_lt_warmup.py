"""Stage 1 on ImageNet-LT: with its weight decay, at a total batch of 256."""

_base_ = ['imagenet_warmup.py']

optim_wrapper = dict(optimizer=dict(weight_decay=2e-1))
auto_scale_lr = dict(base_batch_size=256)
