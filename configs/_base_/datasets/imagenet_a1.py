"""ImageNet-1k with the augmentation of GenDD's A1 and A2 recipes.

To the plain crops and flips: RandAugment m7 n2 mstd0.5, colour jitter 0.4.
Mixup, CutMix and label smoothing belong to the student (``train_cfg``,
``head.loss``).
"""

_base_ = ['imagenet.py']

train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        magnitude_level=7,
        magnitude_std=0.5,
        # The mean colour of ImageNet, BGR as the image is loaded.
        hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
    ),
    # No hue: what is called jitter 0.4 has none.
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
