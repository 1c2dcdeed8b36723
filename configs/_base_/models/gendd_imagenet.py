"""GenDD with the paper's numbers for ImageNet; the pair is open.

A config that uses it sets the student's backbone, the teacher and the sizes of
their features, as ``configs/imagenet/gendd_resnet34_resnet18_8xb64_in1k.py``.
"""

_base_ = ['paper_sampling.py']

model = dict(
    architecture=dict(
        type='ImageClassifier',
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='gendd_mm.LinearProbeHead', num_classes=1000, loss=dict(type='CrossEntropyLoss')
        ),
    ),
    distiller=dict(
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    tokenizer=dict(type='SplitTokenizer', token_dim=64),
                    denoiser=dict(type='TokenDenoiser', width=1024, depth=3),
                    repeats=10,
                    condition_drop=0.2,
                ),
                contraction=dict(strength=0.9),
                feature_mixup=dict(type='FeatureMixup', beta=1.0),
            )
        )
    ),
)
