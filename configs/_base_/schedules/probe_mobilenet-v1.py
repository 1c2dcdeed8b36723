"""The published linear probe of MobileNetV1: a learning rate of 500."""

_base_ = ['probe.py']

optim_wrapper = dict(optimizer=dict(lr=500))
