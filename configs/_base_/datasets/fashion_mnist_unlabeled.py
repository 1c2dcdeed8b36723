"""The 12,000 images turned, inverted or collaged, without labels.

The teacher has seen these garments, but not in this form. Crops and flips
come after the shift; the test images are the plain ones.
"""

_base_ = ['fashion_mnist.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='gendd_mm.ShiftedUnlabeled',
        seed=0,
        dataset=dict(
            type='gendd_mm.LongTailed',
            imbalance=1,
            most=1200,
            seed=0,
            dataset=dict(type='FashionMNIST', data_root={{_base_.data_root}}),
        ),
        pipeline={{_base_.train_pipeline}},
    )
)
