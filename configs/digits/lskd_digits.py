"""KL distillation of the digits student between standardised logits.

Sun et al., arXiv 2403.01427 (LSKD), its weights and temperature of CIFAR-100:
cross-entropy with 0.1, the KL with 9 at base temperature 2.

    python tools/train.py configs/digits/lskd_digits.py
"""

_base_ = ['kd_digits.py']
work_dir = 'work_dirs/lskd_digits_{{$DATA:supervised}}'

model = dict(
    architecture=dict(head=dict(loss=dict(loss_weight=0.1))),
    distiller=dict(
        distill_losses=dict(loss_kl=dict(_delete_=True, type='gendd_mm.LogitStandardizationLoss'))
    ),
)
