"""KL distillation (arXiv 1503.02531) beside cross-entropy, by MMRazor.

The pair is open. Temperature and weight are 1.
"""

model = dict(
    type='mmrazor.SingleTeacherDistill',
    architecture=dict(
        type='ImageClassifier',
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=1000, loss=dict(type='CrossEntropyLoss')),
    ),
    distiller=dict(
        type='mmrazor.ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='mmrazor.ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='mmrazor.ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_kl=dict(type='mmrazor.KLDivergence', tau=1)),
        loss_forward_mappings=dict(
            loss_kl=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            )
        ),
    ),
)
