"""GenDD as we recommend it: the mean learned directly, the distribution around it.

The student's last map is projected to the teacher's feature and pooled. That is the mean,
and the teacher's own classifier, which ships with it, answers in one pass. A rectified flow
learns what the mean leaves, at unit variance, and teaches the student through its feature.
No labels are needed. As in gendd.py the student and the pair's sizes are open.

It is not the paper's setting; that is gendd.py and gendd_supervised.py.
"""

model = dict(
    type='gendd_mm.GenDD',
    architecture=dict(
        neck=dict(type='gendd_mm.ProjectorNeck'),
        head=dict(type='gendd_mm.TeacherClassifierHead'),
    ),
    distiller=dict(
        type='gendd_mm.GenDDDistiller',
        distill_losses=dict(
            loss_gendd=dict(
                type='gendd_mm.GenDDLoss',
                head=dict(
                    type='gendd_mm.MeanResidualHead',
                    residual=dict(
                        denoiser=dict(type='TokenDenoiser', modulation='shared'),
                        noise_sampling='antithetic',
                        repeats=4,
                    ),
                ),
                feature_mixup=None,
            )
        ),
        loss_forward_mappings=dict(
            loss_gendd=dict(condition=dict(recorder='feat', from_student=True, data_idx=-1))
        ),
    ),
)
