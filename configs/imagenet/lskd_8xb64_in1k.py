"""KL between standardised logits (LSKD) on ImageNet-1k.

    TEACHER=resnet50 STUDENT=mobilenet-v1 \\
        bash tools/dist_train.sh configs/imagenet/lskd_8xb64_in1k.py 8

The data, optimiser and epochs are those of KD. Temperature and weight are the
method's authors'; they weight cross-entropy with 1.
"""

_base_ = ['kd_8xb64_in1k.py']
work_dir = 'work_dirs/lskd_{{$TEACHER:resnet34}}_{{$STUDENT:resnet18}}_8xb64_in1k'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kl=dict(
                _delete_=True, type='gendd_mm.LogitStandardizationLoss', tau=2.0, loss_weight=9.0
            )
        )
    )
)
