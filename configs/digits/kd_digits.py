"""Knowledge distillation (KL) of the digits student, by MMRazor.

Hinton et al., arXiv 1503.02531: cross-entropy plus KL at temperature 4.

    python tools/train.py configs/digits/kd_digits.py
"""

_base_ = ['student_digits.py']

model = dict(
    _delete_=True,
    type='mmrazor.SingleTeacherDistill',
    architecture={{_base_.model}},
    teacher={{_base_.teacher}},
    teacher_ckpt='work_dirs/teacher_digits/epoch_20.pth',
    distiller=dict(
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='mmrazor.ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='mmrazor.ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_kl=dict(type='mmrazor.KLDivergence', tau=4)),
        loss_forward_mappings=dict(
            loss_kl=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            )
        ),
    ),
)
