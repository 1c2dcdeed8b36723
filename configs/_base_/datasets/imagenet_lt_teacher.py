"""ImageNet-LT of the teacher: crops of at least 0.08 and flips."""

_base_ = ['imagenet_lt.py']

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], crop_ratio_range=(0.08, 1.0)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
