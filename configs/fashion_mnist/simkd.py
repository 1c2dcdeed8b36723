"""SimKD (arXiv 2203.14001): feature regression, the teacher's classifier.

DATA=long_tailed python tools/train.py configs/fashion_mnist/simkd.py

The teacher's checkpoint is named twice: override both.
"""

_base_ = ['../_base_/models/simkd.py', '../_base_/models/fashion_mnist_pair.py', '_base_/run.py']
work_dir = 'work_dirs/simkd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(
            num_classes=10,
            in_channels={{_base_.student_dim}},
            teacher_dim={{_base_.teacher_dim}},
            teacher_ckpt={{_base_.teacher_ckpt}},
            # The teacher ends with a map of 2x2, the student with 4x4.
            projection=dict(type='ConvProjector', map_size=2),
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
)
