"""GenDD with the paper's numbers for CIFAR-100, in two stages; the pair is open."""

_base_ = [
    '../../_base_/models/gendd_imagenet.py',
    '../../_base_/datasets/cifar100.py',
    '../../_base_/schedules/cifar100.py',
    '../../_base_/default_runtime.py',
]
stage1 = dict(config='{{ fileDirname }}/warmup.py')

model = dict(
    architecture=dict(head=dict(num_classes=100)),
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(repeats=30, sampling=dict(num_steps=100))))
    ),
)
