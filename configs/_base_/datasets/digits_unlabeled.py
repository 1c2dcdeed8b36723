"""The 1,200 digits turned, inverted or collaged, without labels.

The teacher has seen these digits, but not in this form. Crops come after the shift; the
test images are the plain ones.
"""

_base_ = ['digits.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='gendd_mm.ShiftedUnlabeled',
        seed=0,
        dataset=dict(type='gendd_mm.DigitsDataset', split='train'),
        pipeline={{_base_.train_pipeline}},
    )
)
