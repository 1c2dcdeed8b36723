"""BEiTv2-B -> ResNet-50 on ImageNet-1k, A2, 300 epochs.

    bash tools/dist_train.sh \\
        configs/imagenet/gendd_beitv2-base_resnet50_8xb64-a2-300e_in1k.py 8 --resume

Top-1 reported by the authors: generative path, 5 draws, 82.01;
linear probe, trained anew by the published probe protocol, 81.96.
"""

_base_ = [
    '../_base_/models/gendd_beitv2_resnet50.py',
    '../_base_/models/teachers/beitv2_base.py',
    '../_base_/datasets/imagenet_a1.py',
    '../_base_/schedules/imagenet_a2.py',
    '../_base_/default_runtime.py',
]
stage1 = dict(
    config='{{ fileDirname }}/_base_/warmup_a2.py',
    model=dict(train_cfg={{_base_.student_train_cfg}}),
)

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        train_cfg={{_base_.student_train_cfg}},
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(target_dim={{_base_.teacher_dim}})))
    ),
)
