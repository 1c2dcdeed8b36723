"""Stage 1 of A1: as of the other recipes, with A1's weight decay."""

_base_ = ['warmup.py']

optim_wrapper = dict(optimizer=dict(weight_decay=1e-2))
