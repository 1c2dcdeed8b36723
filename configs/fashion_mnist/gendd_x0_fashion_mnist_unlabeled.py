"""GenDD on unlabeled Fashion-MNIST, predicting the clean token.

    python tools/train.py \\
        configs/fashion_mnist/gendd_x0_fashion_mnist_unlabeled.py

Neither contraction nor probe: these read labels.
"""

_base_ = ['_base_/gendd_x0.py', '_base_/unlabeled.py']

model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
