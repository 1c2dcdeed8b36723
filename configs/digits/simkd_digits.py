"""SimKD on the digits: feature regression and the teacher's classifier.

Chen et al., arXiv 2203.14001: the student's map through a projector, a squared
error to the teacher's map, no labels; it is classified by the teacher's
classifier. Teacher and classifier are of one checkpoint.

    python tools/train.py configs/digits/simkd_digits.py
    DATA=long_tailed python tools/train.py configs/digits/simkd_digits.py
"""

_base_ = [
    '../_base_/models/simkd.py',
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits_{{$DATA:supervised}}.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]
work_dir = 'work_dirs/simkd_digits_{{$DATA:supervised}}'

teacher_ckpt = 'work_dirs/teacher_digits/epoch_20.pth'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(
            num_classes=10,
            in_channels={{_base_.student_dim}},
            teacher_dim={{_base_.teacher_dim}},
            teacher_ckpt=teacher_ckpt,
            # The teacher ends with a map of 1x1, the student with 8x8.
            projection=dict(type='ConvProjector', map_size=1),
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt=teacher_ckpt,
)
