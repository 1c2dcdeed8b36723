"""Another number of draws of an image than 2.

    DRAWS=5 python tools/test.py configs/digits/ablations/draws.py CHECKPOINT

of a run of ``configs/gendd_digits.py``: it differs in prediction alone.
"""

_base_ = ['../../gendd_digits.py']
work_dir = 'work_dirs/draws_{{$DRAWS:1}}'

model = dict(test_num_draws={{'$DRAWS:1'}})
