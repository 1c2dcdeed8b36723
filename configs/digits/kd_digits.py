"""Knowledge distillation (KL) of the digits student, by MMRazor.

Hinton et al., arXiv 1503.02531: cross-entropy plus KL at temperature 4.

    python tools/train.py configs/digits/kd_digits.py
    DATA=long_tailed python tools/train.py configs/digits/kd_digits.py
"""

_base_ = [
    '../_base_/models/kd.py',
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits_{{$DATA:supervised}}.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]
work_dir = 'work_dirs/kd_digits_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=10, in_channels={{_base_.student_dim}}),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt='work_dirs/teacher_digits/epoch_20.pth',
    distiller=dict(distill_losses=dict(loss_kl=dict(tau=4))),
)
