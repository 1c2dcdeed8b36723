"""ImageNet-1k with the augmentation of GenDD's A1 and A2 recipes.

To the plain crops and flips: colour jitter 0.4, then timm's
``rand-m7-n2-mstd0.5``. Mixup, CutMix and label smoothing belong to the student
(``train_cfg``).
"""

_base_ = ['imagenet.py']

# timm's set without ``inc1``: posterize and solarize get weaker as the level rises,
# and a factor rises from 0.1 to 1.9 (level 7: 1.36), never mirrored at 1. timm
# rounds bits and thresholds down, MMPretrain up: hence one less.
rand_augment_set = [
    dict(type='AutoContrast'),
    dict(type='Equalize'),
    dict(type='Invert'),
    dict(type='Rotate', magnitude_range=(0, 30)),
    dict(type='Posterize', magnitude_range=(-1, 3)),
    dict(type='Solarize', magnitude_range=(-1, 255)),
    dict(type='SolarizeAdd', magnitude_range=(0, 110)),
    # Added to a factor of 1.
    dict(type='ColorTransform', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Contrast', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Brightness', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Sharpness', magnitude_range=(-0.9, 0.9), random_negative_prob=0.0),
    dict(type='Shear', magnitude_range=(0, 0.3), direction='horizontal'),
    dict(type='Shear', magnitude_range=(0, 0.3), direction='vertical'),
    dict(type='Translate', magnitude_range=(0, 0.45), direction='horizontal'),
    dict(type='Translate', magnitude_range=(0, 0.45), direction='vertical'),
]

train_pipeline = [
    *_base_.train_pipeline[:-1],
    # No hue.
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(
        type='RandAugment',
        policies=rand_augment_set,
        num_policies=2,
        magnitude_level=7,
        magnitude_std=0.5,
        # The mean colour of ImageNet, BGR as the image is loaded.
        hparams=dict(pad_val=[104, 116, 124], interpolation='bilinear'),
    ),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
