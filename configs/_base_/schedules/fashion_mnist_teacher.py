"""SGD for eight epochs, one of them warm-up, then a cosine."""

_base_ = ['fashion_mnist.py']

optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
)
param_scheduler = _base_.param_scheduler[:2]
