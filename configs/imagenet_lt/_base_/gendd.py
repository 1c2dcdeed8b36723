"""GenDD on ImageNet-LT from scratch, 100 epochs; the student is open.

Labels train the probe alone: no contraction.
"""

_base_ = [
    '../../_base_/models/gendd_imagenet.py',
    '../../_base_/models/teachers/resnext101_lt.py',
    '../../_base_/datasets/imagenet_lt.py',
    '../../_base_/schedules/imagenet_lt.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(data_preprocessor={{_base_.student_preprocessor}}),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(target_dim={{_base_.teacher_dim}}), contraction=dict(strength=0.0)
            )
        )
    ),
)
