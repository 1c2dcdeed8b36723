"""GenDD on scikit-learn's digits: the embedded default, on two processes.

    python tools/train.py configs/digits/teacher_digits.py
    bash tools/dist_train.sh configs/gendd_digits.py 2

A narrow head on short tokens; feature mixup off, as in the paper's supervised
A1 and A2 recipes. ``python tools/benchmark.py configs/digits/rivals.yml`` runs it with its
teacher and its rivals.
"""

_base_ = [
    '_base_/models/gendd_supervised.py',
    '_base_/models/digits_pair.py',
    '_base_/datasets/digits.py',
    '_base_/schedules/digits.py',
    '_base_/digits_runtime.py',
]

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
    teacher_ckpt='work_dirs/teacher_digits/epoch_20.pth',
    distiller=dict(
        connectors=dict(condition=dict(normalized_shape={{_base_.student_dim}})),
        distill_losses=dict(
            loss_gendd=dict(
                head=dict(
                    condition_dim={{_base_.student_dim}},
                    target_dim={{_base_.teacher_dim}},
                    # Eight tokens: a feature of 256 is short for 64.
                    tokenizer=dict(type='SplitTokenizer', token_dim=32),
                    denoiser=dict(type='TokenDenoiser', width=128, depth=3),
                    repeats=8,
                ),
                feature_mixup=dict(type='FeatureMixup', beta=0),
            )
        ),
    ),
)

# 16 on each of two processes: the same total as the other methods' 32.
train_dataloader = dict(batch_size=16)

val_evaluator = dict(_delete_=True, type='gendd_mm.ProbeAccuracy')
test_evaluator = val_evaluator
