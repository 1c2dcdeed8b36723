"""The teacher of the digits: a ResNet-18 of half width, trained on labels.

python tools/train.py configs/digits/teacher_digits.py
"""

_base_ = [
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]

model = {{_base_.teacher}}
optim_wrapper = dict(optimizer=dict(lr=2e-3))
