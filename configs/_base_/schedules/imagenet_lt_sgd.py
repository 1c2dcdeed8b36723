"""SGD of the teacher on ImageNet-LT: 100 epochs, cosine, batch 256."""

_base_ = ['imagenet_sgd.py']

optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=5e-4))
param_scheduler = [dict(_base_.param_scheduler[1], begin=0)]
auto_scale_lr = dict(base_batch_size=256)
