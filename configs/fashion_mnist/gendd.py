"""GenDD with the paper's process: noise prediction, learned variance.

DATA=supervised python tools/train.py configs/fashion_mnist/gendd.py

A narrow head on short tokens; feature mixup off, as in the paper's supervised
A1 and A2 recipes.
"""

_base_ = [
    '../_base_/models/gendd_supervised.py',
    '../_base_/models/fashion_mnist_pair.py',
    '_base_/run.py',
]
work_dir = 'work_dirs/gendd_fashion_mnist_{{$DATA:supervised}}'

model = dict(
    architecture=dict(
        type='ImageClassifier',
        backbone={{_base_.student_backbone}},
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='gendd_mm.LinearProbeHead',
            num_classes=10,
            in_channels={{_base_.student_dim}},
            standardize=True,
            loss=dict(type='CrossEntropyLoss'),
        ),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    condition_dim={{_base_.student_dim}},
                    target_dim={{_base_.teacher_dim}},
                    # Six tokens: a feature of 192 is short for 64.
                    tokenizer=dict(type='SplitTokenizer', token_dim=32),
                    denoiser=dict(type='TokenDenoiser', width=128, depth=3),
                    repeats=4,
                ),
                feature_mixup=dict(type='FeatureMixup', beta=0),
            )
        ),
    ),
)

if '{{$DATA:supervised}}' == 'unlabeled':  # contraction and probe read labels
    model['architecture']['head']['trainable'] = False
    model['distiller']['distill_losses']['loss_gendd']['contraction'] = None
