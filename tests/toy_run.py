"""A run of seconds on a few random images, of mmpretrain alone."""

from pathlib import Path

import cv2
import numpy as np

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.], std=[127.], to_rgb=False),
    backbone=dict(type='LeNet5', num_classes=2),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')))
data = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_prefix={data!r},
        pipeline=[
            dict(type='LoadImageFromFile', color_type='grayscale'),
            dict(type='PackInputs')
        ]))
train_dataloader = dict(prefetch_factor=2, **data)
val_dataloader = test_dataloader = data
val_evaluator = test_evaluator = dict(type='Accuracy')
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
randomness = dict(seed=0)
"""


def write(folder: Path) -> str:
    """Write images and config; returns the path of the config."""
    rng = np.random.default_rng(0)
    for name in ('0', '1'):
        (folder / 'data' / name).mkdir(parents=True)
        for index in range(4):
            image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            cv2.imwrite(str(folder / 'data' / name / f'{index}.png'), image)
    path = folder / 'toy.py'
    path.write_text(CONFIG.replace('{data!r}', repr(str(folder / 'data'))))
    return str(path)
