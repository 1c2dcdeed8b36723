"""GenDD without labels (arXiv 2507.14503); the student and the sizes are open.

A config that uses it sets ``architecture`` (the student), ``teacher`` and
``teacher_ckpt``. Sizes and class counts that it leaves out are measured, and the target
is what enters the teacher's last linear layer, which is found. What is not set here has
method.md's default in the component.
"""

model = dict(
    type='gendd_mm.GenDD',
    distiller=dict(
        type='gendd_mm.GenDDDistiller',
        connectors=dict(condition=dict(type='LN')),
        distill_losses=dict(
            loss_gendd=dict(type='gendd_mm.GenDDLoss', head=dict(type='gendd_mm.GenerativeHead'))
        ),
        loss_forward_mappings=dict(
            loss_gendd=dict(
                # What the student's neck gives, or its backbone if it has none: a tuple,
                # of which data_idx=-1 takes the last stage, (B, size).
                condition=dict(
                    recorder='feat', from_student=True, data_idx=-1, connector='condition'
                )
            )
        ),
    ),
)
