"""ImageNet-LT (OLTR, arXiv 1904.05160): 1,000 classes, total batch 256.

The annotation files of its authors, in ``data/imagenet``, with lines of
``relative/path label``.
"""

_base_ = ['imagenet.py']
data_root = 'data/imagenet'
train_ann_file = 'ImageNet_LT_train.txt'

# 32 on each of 8 GPUs.
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root=data_root,
        ann_file=train_ann_file,
        pipeline={{_base_.train_pipeline}},
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root=data_root,
        ann_file='ImageNet_LT_val.txt',
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root=data_root,
        ann_file='ImageNet_LT_test.txt',
        pipeline={{_base_.test_pipeline}},
    )
)
val_evaluator = dict(
    _delete_=True, type='gendd_mm.ShotAccuracy', train_counts=f'{data_root}/{train_ann_file}'
)
test_evaluator = val_evaluator
