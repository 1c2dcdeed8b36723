"""SGD of the CRD benchmark: the epochs and steps of GenDD, no warm-up."""

_base_ = ['cifar100.py']

optim_wrapper = dict(
    _delete_=True, optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4)
)
param_scheduler = [_base_.step_lr]
