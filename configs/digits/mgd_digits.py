"""Masked generative distillation (MGD) of the digits student, by MMRazor.

Yang et al., arXiv 2205.01529: cross-entropy, and the teacher's map generated
from the student's, of which 15 % is masked.

    python tools/train.py configs/digits/mgd_digits.py
"""

_base_ = ['kd_digits.py']
work_dir = 'work_dirs/mgd_digits_{{$DATA:supervised}}'

model = dict(
    type='mmrazor.FpnTeacherDistill',
    distiller=dict(
        _delete_=True,
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone')),
        # The third stage, 128x2x2: the last is 1x1, with nothing to mask.
        teacher_recorders=dict(feat=dict(type='mmrazor.ModuleOutputs', source='backbone.layer3')),
        connectors=dict(
            generator=[
                dict(
                    type='mmrazor.TorchFunctionalConnector',
                    function_name='adaptive_avg_pool2d',
                    func_args=dict(output_size=2),
                ),
                dict(
                    type='mmrazor.MGDConnector',
                    student_channels={{_base_.student_dim}},
                    teacher_channels=128,
                    lambda_mgd=0.15,
                ),
            ]
        ),
        # MMRazor sums over the map. The authors' 7e-5 on 512x7x7 is 1.756 of
        # the mean: 1.756 / (128 * 2 * 2).
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=3.43e-3)),
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
