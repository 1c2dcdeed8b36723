"""Stage 1 on the digits: the student through its teacher's classifier.

    python tools/train.py configs/digits/warmup_digits.py

``gendd_digits_two_stages.py`` runs it before GenDD. Needs the teacher:
``configs/digits/teacher_digits.py``.
"""

_base_ = [
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]
epochs = 5

model = dict(
    type='ImageClassifier',
    backbone={{_base_.student_backbone}},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='gendd_mm.ReusedClassifierHead',
        num_classes=10,
        in_channels={{_base_.student_dim}},
        teacher_dim={{_base_.teacher_dim}},
        teacher_ckpt='work_dirs/teacher_digits/epoch_20.pth',
        loss=dict(type='CrossEntropyLoss'),
    ),
)

optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.999)))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        by_epoch=True,
        begin=0,
        end=epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs)
