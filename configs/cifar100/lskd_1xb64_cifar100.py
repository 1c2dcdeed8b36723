"""KL between standardised logits (LSKD) on CIFAR-100.

    TEACHER=resnet110 STUDENT=resnet32 \\
        python tools/train.py configs/cifar100/lskd_1xb64_cifar100.py

Its authors' weights, 9 of the KL and 0.1 of cross-entropy, and temperatures. The
data, optimiser and epochs are those of KD.
"""

_base_ = ['kd_1xb64_cifar100.py']
work_dir = 'work_dirs/lskd_{{$TEACHER:resnet56}}_{{$STUDENT:resnet20}}_1xb64_cifar100'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kl=dict(
                _delete_=True,
                type='gendd_mm.LogitStandardizationLoss',
                # 3 for vgg13 -> vgg8.
                tau=3.0 if '{{$TEACHER:resnet56}}' == 'vgg13' else 2.0,
                loss_weight=9.0,
            )
        )
    )
)
