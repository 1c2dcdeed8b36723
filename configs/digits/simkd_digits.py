"""SimKD on the digits: feature regression and the teacher's classifier.

Chen et al., arXiv 2203.14001: the student's map through a projector, a squared
error to the teacher's map, no labels; it is classified by the teacher's
classifier. Teacher and classifier are of one checkpoint.

    python tools/train.py configs/digits/simkd_digits.py
"""

_base_ = ['student_digits.py']

teacher_ckpt = 'work_dirs/teacher_digits/epoch_20.pth'

model = dict(
    _delete_=True,
    type='mmrazor.FpnTeacherDistill',
    architecture=dict(
        type='ImageClassifier',
        backbone={{_base_.student_backbone}},
        head=dict(
            type='gendd_mm.SimKDHead',
            num_classes=10,
            in_channels={{_base_.student_dim}},
            teacher_dim={{_base_.teacher_dim}},
            teacher_ckpt=teacher_ckpt,
            # The teacher ends with a map of 1x1, the student with 8x8.
            projection=dict(type='ConvProjector', map_size=1),
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt=teacher_ckpt,
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
