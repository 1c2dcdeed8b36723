"""What the teachers of the CRD benchmark share: pooling, 100 classes."""

_base_ = ['imagenet.py']

teacher = dict(head=dict(num_classes=100))
