"""GenDD without labels (arXiv 2507.14503); the student and the sizes are open.

A config that uses it sets ``architecture`` (the student), ``teacher``,
``teacher_ckpt`` and three sizes: ``connectors.condition.normalized_shape`` and
``head.condition_dim`` (the student's feature), ``head.target_dim`` (the
teacher's). The target is what enters the teacher's last linear layer, which is
found. What is not set here has method.md's default in the component.
"""

model = dict(
    type='gendd_mm.GenDD',
    distiller=dict(
        type='gendd_mm.GenDDDistiller',
        # A neck gives a tuple; data_idx=-1 takes its last stage, (B, size).
        student_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='neck')),
        connectors=dict(condition=dict(type='LN')),
        distill_losses=dict(
            loss_gendd=dict(type='gendd_mm.GenDDLoss', head=dict(type='gendd_mm.GenerativeHead'))
        ),
        loss_forward_mappings=dict(
            loss_gendd=dict(
                condition=dict(
                    recorder='feat', from_student=True, data_idx=-1, connector='condition'
                )
            )
        ),
    ),
)
