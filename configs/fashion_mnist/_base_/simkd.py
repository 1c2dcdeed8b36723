"""SimKD (arXiv 2203.14001): feature regression, the teacher's classifier.

The student's map through a projector, a squared error to the teacher's map, no
labels. The teacher's checkpoint is named twice: override both.
"""

_base_ = ['../../_base_/models/fashion_mnist_pair.py']

model = dict(
    type='mmrazor.FpnTeacherDistill',
    architecture=dict(
        type='ImageClassifier',
        backbone={{_base_.student_backbone}},
        head=dict(
            type='gendd_mm.SimKDHead',
            num_classes=10,
            in_channels={{_base_.student_dim}},
            teacher_dim={{_base_.teacher_dim}},
            teacher_ckpt={{_base_.teacher_ckpt}},
            # The teacher ends with a map of 2x2, the student with 4x4.
            projection=dict(type='ConvProjector', map_size=2),
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
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
