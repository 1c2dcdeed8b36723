"""Draws of an image: 5 instead of 2.

    python tools/test.py configs/digits/ablations/draws_5.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']

model = dict(test_num_draws=5)
