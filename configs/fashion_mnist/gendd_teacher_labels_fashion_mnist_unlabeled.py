"""GenDD on unlabeled Fashion-MNIST, contracted by what the teacher sees.

    python tools/train.py \\
        configs/fashion_mnist/gendd_teacher_labels_fashion_mnist_unlabeled.py

The teacher's softmax stands in for the labels. No probe.
"""

_base_ = ['_base_/gendd.py', '_base_/unlabeled.py']

model = dict(
    architecture=dict(head=dict(trainable=False)),
    distiller=dict(
        teacher_recorders=dict(class_bias=dict(type='mmrazor.Parameter', source='head.fc.bias')),
        distill_losses=dict(loss_gendd=dict(contraction=dict(teacher_label_weight=1.0))),
        loss_forward_mappings=dict(
            loss_gendd=dict(class_bias=dict(recorder='class_bias', from_student=False))
        ),
    ),
)
