"""A2: 300 epochs, 20 of warm-up; mixup 0.1, CutMix 1.0, no smoothing.

With ``datasets/imagenet_a1.py``, whose augmentation is A2's too.
"""

_base_ = ['imagenet.py']
epochs = 300
warmup = 20

param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    dict(_base_.cosine_lr, begin=warmup, end=epochs),
    dict(_base_.rising_beta2, end=epochs),
]
train_cfg = dict(max_epochs=epochs)

student_train_cfg = dict(
    augments=[
        dict(type='Mixup', alpha=0.1),
        dict(type='CutMix', alpha=1.0),
    ]
)
