"""CC3M without labels, a folder of images; ImageNet for evaluation.

Every image in ``data/cc3m`` and the folders in it.
"""

_base_ = ['imagenet.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/cc3m',
        with_label=False,
        pipeline={{_base_.train_pipeline}},
    )
)
