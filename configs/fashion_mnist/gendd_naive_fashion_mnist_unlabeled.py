"""Naive GenDD on unlabeled Fashion-MNIST: one token.

    python tools/train.py \\
        configs/fashion_mnist/gendd_naive_fashion_mnist_unlabeled.py

Neither contraction nor probe: these read labels.
"""

_base_ = ['_base_/gendd_naive.py', '_base_/unlabeled.py']

model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
