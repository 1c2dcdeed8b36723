"""GenDD on Fashion-MNIST by a rectified flow, the larger student.

    python tools/train.py \\
        configs/fashion_mnist/large/gendd_flow_fashion_mnist_large.py
"""

_base_ = ['../gendd_flow_fashion_mnist.py']

student_dim = 36

model = dict(
    architecture=dict(
        backbone=dict(stem_channels=9, base_channels=9), head=dict(in_channels=student_dim)
    ),
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape=student_dim)),
        distill_losses=dict(loss_gendd=dict(head=dict(condition_dim=student_dim))),
    ),
)
