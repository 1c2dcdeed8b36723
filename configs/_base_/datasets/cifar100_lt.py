"""CIFAR-100-LT of imbalance 100: 500 images of class 0, 5 of class 99."""

_base_ = ['cifar100.py']

train_dataset = dict(
    type='gendd_mm.LongTailed', imbalance=100, dataset=_base_.train_dataloader.dataset
)

train_dataloader = dict(dataset=dict(_delete_=True, **train_dataset))
val_evaluator = dict(_delete_=True, type='gendd_mm.ShotAccuracy', train_counts=train_dataset)
test_evaluator = val_evaluator
