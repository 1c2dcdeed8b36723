"""Masked generative distillation (MGD, arXiv 2205.01529), by MMRazor.

Cross-entropy, and the teacher's last map generated from the student's, of
which 15 % is masked. The pair is open; its last maps have one size. Mask and
weight are its authors' for ImageNet, both pairs.
"""

_base_ = ['kd.py']

model = dict(
    type='mmrazor.FpnTeacherDistill',
    distiller=dict(
        _delete_=True,
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone')),
        teacher_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone')),
        connectors=dict(generator=dict(type='mmrazor.MGDConnector', lambda_mgd=0.15)),
        # Of the squared error, summed over a map.
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=7e-5)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(
                    recorder='feat', from_student=True, data_idx=-1, connector='generator'
                ),
                preds_T=dict(recorder='feat', from_student=False, data_idx=-1),
            )
        ),
    ),
)
