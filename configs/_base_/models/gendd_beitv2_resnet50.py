"""BEiTv2 -> ResNet-50 by the A1 and A2 recipes; L or B is open."""

_base_ = ['gendd_imagenet.py', 'students/resnet50.py']

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}}, head=dict(in_channels={{_base_.student_dim}})
    ),
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(condition_dim={{_base_.student_dim}}),
                # The images are mixed already.
                feature_mixup=dict(beta=0),
            )
        ),
    ),
)
