"""Stage 1 of A1: as of A2, with A1's weight decay."""

_base_ = ['warmup_a2.py']

optim_wrapper = dict(optimizer=dict(weight_decay=1e-2))
