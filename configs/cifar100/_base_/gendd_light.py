"""GenDD on CIFAR-100 for the ShuffleNets and MobileNetV2: a larger rate."""

_base_ = ['gendd.py']

optim_wrapper = dict(optimizer=dict(lr=1e-2))
