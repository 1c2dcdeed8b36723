"""Masked generative distillation (MGD, arXiv 2205.01529), by MMRazor.

DATA=long_tailed python tools/train.py configs/fashion_mnist/mgd.py

Cross-entropy, and the teacher's map generated from the student's, of which
15 % is masked.
"""

_base_ = ['../_base_/models/mgd.py', '../_base_/models/fashion_mnist_pair.py', '_base_/run.py']
work_dir = 'work_dirs/mgd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=10, in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        # Its third stage has the student's size, 4x4, and 96 channels.
        teacher_recorders=dict(feat=dict(source='backbone.layer3')),
        connectors=dict(
            generator=dict(student_channels={{_base_.student_dim}}, teacher_channels=96)
        ),
        # MMRazor sums over the map. The authors' 7e-5 on 512x7x7 is 1.756 of
        # the mean: 1.756 / (96 * 4 * 4).
        distill_losses=dict(loss_mgd=dict(alpha_mgd=1.143e-3)),
        # A stage gives its map, not a tuple of maps.
        loss_forward_mappings=dict(
            loss_mgd=dict(preds_T=dict(_delete_=True, recorder='feat', from_student=False))
        ),
    ),
)
