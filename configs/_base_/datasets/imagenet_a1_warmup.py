"""ImageNet-1k of stage 1 of A1 and A2: their augmentation, crops of at least 0.08."""

_base_ = ['imagenet_a1.py']

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], crop_ratio_range=(0.08, 1.0)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
