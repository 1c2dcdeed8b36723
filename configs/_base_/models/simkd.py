"""SimKD (arXiv 2203.14001): feature regression, the teacher's classifier.

The student's last map through a projector, a squared error to the teacher's,
no labels. The pair is open; its last maps have one size. The teacher's
checkpoint is named twice: override both.
"""

model = dict(
    type='mmrazor.FpnTeacherDistill',
    architecture=dict(
        type='ImageClassifier', head=dict(type='gendd_mm.SimKDHead', num_classes=1000)
    ),
    distiller=dict(
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='head.projection')),
        teacher_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone')),
        distill_losses=dict(
            loss_simkd=dict(type='mmrazor.L2Loss', normalize=False, div_element=True)
        ),
        loss_forward_mappings=dict(
            loss_simkd=dict(
                s_feature=dict(recorder='feat', from_student=True),
                t_feature=dict(recorder='feat', from_student=False, data_idx=-1),
            )
        ),
    ),
)
