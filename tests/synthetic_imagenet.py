"""A few noise images in ImageNet's layout, and runs on them."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from small_models import quickly, runner_of

NUM_IMAGES = 4


def write(root: Path) -> None:
    """Write ``train`` and ``val`` with label files; images of 80x72."""
    draw = np.random.default_rng(0)
    (root / 'meta').mkdir(parents=True)
    for split in ('train', 'val'):
        (root / split).mkdir()
        lines = []
        for i in range(NUM_IMAGES):
            image = draw.integers(0, 256, (72, 80, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / split / f'{i}.png')
            # The last of the classes among them.
            lines.append(f'{i}.png {999 if i == 0 else i}')
        (root / 'meta' / f'{split}.txt').write_text('\n'.join(lines))


def shrink(cfg: Config, root: Path, size: int) -> None:
    """Read the images in ``root``, at a small size, two at a time."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 2
        loader.num_workers = 0
        loader.persistent_workers = False
        loader.dataset.data_root = str(root)
        for transform in loader.dataset.pipeline:
            if transform.type in ('RandomResizedCrop', 'ResizeEdge'):
                transform.scale = size
            if transform.type == 'CenterCrop':
                transform.crop_size = size


def train_and_evaluate(cfg: Config, work_dir: Path) -> Runner:
    """One epoch of two steps, then the validation images.

    Returns:
        The runner; ``runner.first`` holds the parameters before the first
        step and ``runner.metrics`` the result.
    """
    cfg.work_dir = str(work_dir)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=2)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    runner = runner_of(cfg)
    runner.first = {
        name: parameter.detach().clone() for name, parameter in runner.model.named_parameters()
    }
    runner.call_hook('before_run')
    with quickly():
        runner.train()
    runner.metrics = runner.val()
    return runner


def save_random(model: torch.nn.Module, path: Path) -> str:
    """Save a model's weights as a checkpoint; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)
