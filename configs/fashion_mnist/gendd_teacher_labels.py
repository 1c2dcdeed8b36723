"""GenDD without labels, contracted by what the teacher sees.

DATA=unlabeled python tools/train.py configs/fashion_mnist/gendd_teacher_labels.py

The teacher's softmax stands in for the labels.
"""

_base_ = ['gendd.py']
work_dir = 'work_dirs/gendd_teacher_labels_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                contraction=dict(
                    _delete_=True, type='DistributionContraction', teacher_label_weight=1.0
                )
            )
        ),
    )
)
