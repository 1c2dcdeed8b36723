"""KL distillation of the digits student at temperature 4, without labels.

DATA=unlabeled python tools/train.py configs/digits/kl_digits.py
"""

_base_ = ['kd_digits.py']
work_dir = 'work_dirs/kl_digits_{{$DATA:supervised}}'

# The losses of both would read labels.
unlabeled = dict(type='gendd_mm.UnlabeledClsHead')
model = dict(architecture=dict(head=unlabeled), teacher=dict(head=unlabeled))
