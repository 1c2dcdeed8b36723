"""KL distillation at temperature 4 and nothing beside it: no labels."""

_base_ = ['kd.py']

# The losses of both would read labels.
unlabeled = dict(type='gendd_mm.UnlabeledClsHead')
model = dict(architecture=dict(head=unlabeled), teacher=dict(head=unlabeled))
