"""GenDD on ImageNet-LT: 100 epochs, 20 of warm-up, a total batch of 256."""

_base_ = ['imagenet_100e.py']

optim_wrapper = dict(optimizer=dict(weight_decay=2e-1))
# The rate is that of the other recipes, which is for 512.
auto_scale_lr = dict(base_batch_size=256)
