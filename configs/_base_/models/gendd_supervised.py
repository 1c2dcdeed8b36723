"""What labels add to GenDD: contraction, and the labels that it reads."""

_base_ = ['gendd.py']

model = dict(
    distiller=dict(
        # The arguments of the student's loss module: score, label. After
        # mixup or CutMix the label is the mixed distribution.
        student_recorders=dict(labels=dict(type='mmrazor.ModuleInputs', source='head.loss_module')),
        distill_losses=dict(loss_gendd=dict(contraction=dict(type='DistributionContraction'))),
        loss_forward_mappings=dict(
            loss_gendd=dict(labels=dict(recorder='labels', from_student=True, data_idx=1))
        ),
    )
)
