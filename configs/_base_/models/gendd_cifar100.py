"""GenDD with the paper's numbers for CIFAR-100; the pair is open."""

_base_ = ['gendd_imagenet.py']

model = dict(
    architecture=dict(head=dict(num_classes=100)),
    distiller=dict(
        distill_losses=dict(loss_gendd=dict(head=dict(repeats=30, sampling=dict(num_steps=100))))
    ),
)
