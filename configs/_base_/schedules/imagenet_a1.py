"""A1: 600 epochs, 20 of warm-up; mixup 0.2, CutMix 1.0, smoothing 0.1.

With ``datasets/imagenet_a1.py``.
"""

_base_ = ['imagenet.py']
epochs = 600
warmup = 20

optim_wrapper = dict(optimizer=dict(weight_decay=1e-2))
param_scheduler = [
    dict(_base_.linear_lr, end=warmup),
    dict(_base_.cosine_lr, begin=warmup, end=epochs),
    dict(_base_.rising_beta2, end=epochs),
]
train_cfg = dict(max_epochs=epochs)

# What is mixed is smoothed: one soft label for contraction and classifier.
student_train_cfg = dict(
    augments=dict(
        type='gendd_mm.SmoothedLabels',
        smoothing=0.1,
        augments=[
            dict(type='Mixup', alpha=0.2),
            dict(type='CutMix', alpha=1.0),
        ],
    )
)
