"""CC3M without labels, tar shards of img2dataset; ImageNet for evaluation.

An epoch is what was downloaded: the authors' of 5,500 iterations of 512 is
2.8 million images. docs/data.md says how to get them.
"""

_base_ = ['imagenet.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='gendd_mm.UnlabeledShards',
        data_root='data/cc3m',
        shards='*.tar',
        pipeline={{_base_.train_pipeline}},
    )
)
