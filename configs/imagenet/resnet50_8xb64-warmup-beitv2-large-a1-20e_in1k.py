"""Stage 1 of BEiTv2-L -> ResNet-50, A1: the classifier of the teacher.

    bash tools/dist_train.sh \\
        configs/imagenet/resnet50_8xb64-warmup-beitv2-large-a1-20e_in1k.py 8

``configs/gendd_r50_in1k.py`` runs it before GenDD, and says what it needs.

Hardware: 8 GPUs x 64 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images. The authors give no figure for it.
"""

_base_ = [
    '../_base_/models/warmup.py',
    '../_base_/models/teachers/beitv2_large.py',
    '../_base_/models/students/resnet50.py',
    '../_base_/datasets/imagenet_warmup.py',
    '../_base_/schedules/imagenet_a1_warmup.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor={{_base_.student_preprocessor}},
    backbone={{_base_.student_backbone}},
    head=dict(
        in_channels={{_base_.student_dim}},
        teacher_dim={{_base_.teacher_dim}},
        teacher_ckpt={{_base_.teacher_ckpt}},
    ),
)
