"""ImageNet-1k of stage 1 without A1 or A2: crops of at least 0.08 and flips."""

_base_ = ['imagenet.py']

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], crop_ratio_range=(0.08, 1.0)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
