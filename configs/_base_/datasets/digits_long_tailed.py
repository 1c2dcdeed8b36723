"""Digits of imbalance 20: 120 images of class 0, 6 of class 9, three times an epoch."""

_base_ = ['digits.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=3,
        dataset=dict(
            type='gendd_mm.LongTailed',
            imbalance=20,
            most=116,
            seed=0,
            dataset=_base_.train_dataloader.dataset,
        ),
    )
)
