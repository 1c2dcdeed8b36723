"""The recommended setting: the mean learned directly, a flow on what it leaves.

DATA=unlabeled python tools/train.py configs/fashion_mnist/gendd_recommended.py

SimKD's projector is a part of the student, whose own output is what counts. TEACHES=0 keeps
the gradient of the distribution from the student: the mean alone teaches.
"""

_base_ = [
    '../_base_/models/gendd_recommended.py',
    '../_base_/models/fashion_mnist_pair.py',
    '_base_/run.py',
]
work_dir = 'work_dirs/gendd_recommended_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        type='ImageClassifier',
        backbone={{_base_.student_backbone}},
        # The teacher ends with a map of 2x2 after a ReLU, the student with 4x4.
        neck=dict(map_size=2, relu=True),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    teaches=bool(int('{{$TEACHES:1}}')),
                    residual=dict(
                        tokenizer=dict(type='SplitTokenizer', token_dim=32),
                        denoiser=dict(width=96, depth=3),
                    ),
                )
            )
        )
    ),
)
