"""SimKD on CIFAR-100."""

_base_ = ['simkd.py']

model = dict(architecture=dict(head=dict(num_classes=100)))
