"""ResNet-50 -> MobileNetV1 on CC3M without labels, 100 x 5,500 iterations.

    bash tools/dist_train.sh \\
        configs/cc3m/gendd_resnet50_mobilenet-v1_8xb64-100e_cc3m.py 8 --resume

README.md says what it needs. Neither contraction nor probe, and no stage 1:
these read labels. The student needs timm.

Hardware: 8 GPUs x 64 images. Cost: unknown, not run by us; two steps of it
have been, on small synthetic images.

Top-1 on ImageNet reported by the authors: generative path, 5 draws, 67.89.
"""

_base_ = [
    '../_base_/models/gendd_imagenet.py',
    '../_base_/models/teachers/resnet50.py',
    '../_base_/models/students/mobilenet_v1.py',
    '../_base_/datasets/cc3m_5500.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        # No labels for a probe.
        head=dict(in_channels={{_base_.student_dim}}, trainable=False),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(condition_dim={{_base_.student_dim}}, target_dim={{_base_.teacher_dim}}),
                contraction=None,
            )
        ),
    ),
)
