"""A fixed fifth of Fashion-MNIST's training images: 1,200 of each class."""

_base_ = ['fashion_mnist.py']

# A long tail of imbalance 1 is a stratified subset, chosen by its seed.
train_dataset = dict(
    type='gendd_mm.LongTailed',
    imbalance=1,
    most=1200,
    seed=0,
    dataset=_base_.train_dataloader.dataset,
)

train_dataloader = dict(dataset=dict(_delete_=True, **train_dataset))
