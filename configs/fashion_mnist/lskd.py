"""KL between standardised logits (LSKD, arXiv 2403.01427).

DATA=long_tailed python tools/train.py configs/fashion_mnist/lskd.py

Its weights and temperature of CIFAR-100: cross-entropy with 0.1, the KL with 9
at base temperature 2.
"""

_base_ = ['kd.py']
work_dir = 'work_dirs/lskd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(head=dict(loss=dict(loss_weight=0.1))),
    distiller=dict(
        distill_losses=dict(loss_kl=dict(_delete_=True, type='gendd_mm.LogitStandardizationLoss'))
    ),
)
