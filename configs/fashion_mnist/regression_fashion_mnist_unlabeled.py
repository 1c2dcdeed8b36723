"""GenDD's network as a regression on unlabeled Fashion-MNIST.

    python tools/train.py \\
        configs/fashion_mnist/regression_fashion_mnist_unlabeled.py

Neither contraction nor probe: these read labels.
"""

_base_ = ['_base_/regression.py', '_base_/unlabeled.py']

model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
