"""KL distillation as in the CRD benchmark: temperature 4, weights 0.9, 0.1."""

_base_ = ['kd.py']

model = dict(
    architecture=dict(head=dict(num_classes=100, loss=dict(loss_weight=0.1))),
    distiller=dict(distill_losses=dict(loss_kl=dict(tau=4, loss_weight=0.9))),
)
