"""SimKD on the digits with a linear projector, on pooled features.

python tools/train.py configs/digits/simkd_linear_digits.py
"""

_base_ = ['simkd_digits.py']
work_dir = 'work_dirs/simkd_linear_digits_{{$DATA:supervised}}'

model = dict(
    architecture=dict(neck=dict(type='GlobalAveragePooling'), head=dict(projection=None)),
    distiller=dict(teacher_recorders=dict(feat=dict(source='neck'))),
)
