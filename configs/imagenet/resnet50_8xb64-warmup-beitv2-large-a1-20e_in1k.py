"""Stage 1 of the flagship: ResNet-50 through the classifier of BEiTv2-L.

    bash tools/dist_train.sh \\
        configs/imagenet/resnet50_8xb64-warmup-beitv2-large-a1-20e_in1k.py 8

``configs/gendd_r50_in1k.py`` runs it before GenDD, and says what it needs.

Hardware: 8 GPUs x 64 images. Cost and result: unknown, not run by us; it has
been stepped on synthetic images. The authors give no figure for it.
"""
_base_ = [
    '../_base_/models/beitv2_large.py',
    '../_base_/datasets/imagenet_warmup.py',
    '../_base_/schedules/imagenet_warmup.py', '../_base_/default_runtime.py'
]

model = dict(
    type='ImageClassifier',
    data_preprocessor={{_base_.student_preprocessor}},
    backbone=dict(type='ResNet', depth=50),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='gendd_mm.ReusedClassifierHead',
        num_classes=1000,
        in_channels=2048,
        teacher_dim={{_base_.teacher_dim}},
        teacher_ckpt='checkpoints/beitv2_large_in1k.pth',
        loss=dict(type='CrossEntropyLoss')))

# A1's.
optim_wrapper = dict(optimizer=dict(weight_decay=1e-2))
