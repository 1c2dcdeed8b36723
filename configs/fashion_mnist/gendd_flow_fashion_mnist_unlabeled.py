"""GenDD on unlabeled Fashion-MNIST by a rectified flow.

    python tools/train.py \\
        configs/fashion_mnist/gendd_flow_fashion_mnist_unlabeled.py

Neither contraction nor probe: these read labels.
"""

_base_ = ['_base_/gendd_flow.py', '_base_/unlabeled.py']

model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(distill_losses=dict(loss_gendd=dict(contraction=None))),
)
