"""GenDD on CIFAR-100 for the light students: batches of 128, rate 0.01."""

_base_ = ['gendd.py']
stage1 = dict(config='{{ fileDirname }}/warmup_1xb128.py')

train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=1e-2))
auto_scale_lr = dict(base_batch_size=128)
