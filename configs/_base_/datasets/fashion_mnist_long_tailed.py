"""Fashion-MNIST of imbalance 100: 1,200 images of class 0, 12 of class 9.

Of its 2,974 images, all among the 12,000, an epoch has each four times, so
that it has the steps of an epoch of those. Five classes have many (above 100),
four a medium number, one few (below 20); the test set is balanced.
"""

_base_ = ['fashion_mnist.py']

train_dataset = dict(
    type='gendd_mm.LongTailed',
    imbalance=100,
    most=1200,
    seed=0,
    dataset=_base_.train_dataloader.dataset,
)

train_dataloader = dict(
    dataset=dict(_delete_=True, type='RepeatDataset', times=4, dataset=train_dataset)
)
val_evaluator = dict(_delete_=True, type='gendd_mm.ShotAccuracy', train_counts=train_dataset)
test_evaluator = val_evaluator
