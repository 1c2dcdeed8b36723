"""GenDD of a teacher without a classifier; the student and the sizes are open.

A config that uses it sets ``architecture`` (the student, which needs no head), ``teacher``
and ``teacher_ckpt``. The target is the teacher's own pooled feature; a second loss with

    loss_forward_mappings=dict(
        loss_patches=dict(target=dict(recorder='patch_tokens', from_student=False)))

learns another one. No labels are read but by the evaluator, which needs none.
"""

_base_ = ['gendd.py']

model = dict(teacher_classifier=None)

val_evaluator = dict(type='gendd_mm.FeatureQuality')
test_evaluator = val_evaluator
