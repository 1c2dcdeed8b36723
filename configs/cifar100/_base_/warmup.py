"""Stage 1 on CIFAR-100, 50 epochs; the pair is that of stage 2."""

_base_ = [
    '../../_base_/models/warmup.py',
    '../../_base_/datasets/cifar100.py',
    '../../_base_/schedules/cifar100_warmup.py',
    '../../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=100))

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
