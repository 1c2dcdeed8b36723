"""Masked generative distillation (MGD, arXiv 2205.01529), by MMRazor.

Cross-entropy, and the teacher's map generated from the student's, of which
15 % is masked.
"""

_base_ = ['kd.py']

model = dict(
    type='mmrazor.FpnTeacherDistill',
    distiller=dict(
        _delete_=True,
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone')),
        # Its third stage has the student's size, 4x4, and 96 channels.
        teacher_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone.layer3')),
        connectors=dict(
            generator=dict(
                type='mmrazor.MGDConnector',
                student_channels={{_base_.student_dim}},
                teacher_channels=96,
                lambda_mgd=0.15,
            )
        ),
        # MMRazor sums over the map. The authors' 7e-5 on 512x7x7 is 1.756 of
        # the mean: 1.756 / (96 * 4 * 4).
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=1.143e-3)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(
                    recorder='feat', from_student=True, data_idx=-1, connector='generator'
                ),
                preds_T=dict(recorder='feat', from_student=False),
            )
        ),
    ),
)
