"""Stage 1 on CIFAR-100 of the light students, 50 epochs, batches of 128."""

_base_ = ['warmup.py']

train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-2))
auto_scale_lr = dict(base_batch_size=128)
