"""The recommended setting on the digits: the mean learned directly, a flow around it.

    python tools/train.py configs/digits/gendd_recommended_digits.py
    DATA=unlabeled python tools/train.py configs/digits/gendd_recommended_digits.py

The student answers by its projector and its teacher's classifier, without a label.
"""

_base_ = [
    '../_base_/models/gendd_recommended.py',
    '../_base_/models/digits_pair.py',
    '../_base_/datasets/digits_{{$DATA:supervised}}.py',
    '../_base_/schedules/digits.py',
    '../_base_/digits_runtime.py',
]
work_dir = 'work_dirs/gendd_recommended_digits_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        type='ImageClassifier',
        backbone={{_base_.student_backbone}},
        # The teacher ends with a map of 1x1 after a ReLU, the student with 8x8.
        neck=dict(map_size=1, relu=True),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt='work_dirs/teacher_digits/epoch_20.pth',
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    residual=dict(
                        tokenizer=dict(type='SplitTokenizer', token_dim=32),
                        denoiser=dict(width=96, depth=3),
                    )
                )
            )
        )
    ),
)

val_evaluator = dict(_delete_=True, type='gendd_mm.ProbeAccuracy')
test_evaluator = val_evaluator
