"""Masked generative distillation (MGD) on CIFAR-100; weight of our own.

Their 7e-5 on ResNet-34's 512x7x7 is 1.756 of the mean over the map. A config
divides by the size of its own map: MMRazor's loss sums.
"""

_base_ = ['mgd.py']

weight_of_mean = 7e-5 * 512 * 7 * 7
model = dict(architecture=dict(head=dict(num_classes=100)))
