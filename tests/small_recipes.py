"""A recipe's own networks on a few small images, for two steps and a test."""

import copy
import json
import os
import uuid
from pathlib import Path

import small_models
import synthetic_imagenet
import tar_shards
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from published_configs import Experiment

from gendd_mm.engine.launch import build_runner, end_distributed

STEPS = 2
# The smallest whose last map has more than one pixel, for batch norm.
SIZE = 64


def read(experiment: Experiment, folder: Path, batch_size: int = 2) -> Config:
    """A config with its data, its teacher and its sampling made small.

    Args:
        experiment: Whose config is read.
        folder: Where data, teacher and checkpoints are written.
        batch_size: Images of a step of one process.
    """
    cfg = experiment.read()
    if experiment.name.startswith('cifar100'):
        read_cifar(cfg, folder / 'images')
    else:
        read_imagenet(cfg, folder / 'images')
    save_teacher(cfg.model, folder / 'teacher.pth')
    if 'loss_gendd' in cfg.model.get('distiller', {}).get('distill_losses', {}):
        head = small_models.head_of(cfg)
        if not head.type.endswith('RegressionHead'):
            head.repeats = 1
            head.sampling.num_steps = 2
    cfg.train_dataloader.batch_size = batch_size
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    # Large, and of no interest here.
    cfg.default_hooks.checkpoint.save_optimizer = False
    cfg.work_dir = str(folder / 'work')
    cfg.experiment_name = uuid.uuid4().hex
    cfg.log_level = 'ERROR'
    cfg.launcher = 'none'
    return cfg


def read_imagenet(cfg: Config, root: Path) -> None:
    """Read a few images as ImageNet, its long-tailed lists, or shards."""
    synthetic_imagenet.write(root)
    train = cfg.train_dataloader
    if train.dataset.type == 'gendd_mm.UnlabeledShards':
        tar_shards.write_shard(
            root / '00000.tar',
            {f'{i:09}': tar_shards.jpeg(i, size=80) for i in range(synthetic_imagenet.NUM_IMAGES)},
        )
        train.sampler.length = synthetic_imagenet.NUM_IMAGES
    for loader in (train, cfg.val_dataloader, cfg.test_dataloader):
        if loader.dataset.type == 'CustomDataset' and loader.dataset.ann_file:
            write_list(root, loader.dataset.ann_file)
    if 'train_counts' in cfg.val_evaluator:
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            evaluator.train_counts = str(root / train.dataset.ann_file)
    synthetic_imagenet.shrink(cfg, root, SIZE)
    for model in (cfg.model, cfg.model.get('teacher', {})):
        if 'img_size' in model.get('backbone', {}):  # a transformer
            model.backbone.img_size = SIZE


def write_list(root: Path, name: str) -> None:
    """The training images as a long-tailed list."""
    lines = (root / 'meta' / 'train.txt').read_text().splitlines()
    (root / name).write_text('\n'.join(f'train/{line}' for line in lines))


def read_cifar(cfg: Config, root: Path) -> None:
    """Read a few images of 32x32 in the place of CIFAR-100."""
    root.mkdir()
    names = [f'{i}.jpg' for i in range(synthetic_imagenet.NUM_IMAGES)]
    for i, name in enumerate(names):
        (root / name).write_bytes(tar_shards.jpeg(i, size=32))
    (root / 'list.txt').write_text('\n'.join(f'{name} {99 - i}' for i, name in enumerate(names)))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.num_workers = 0
        loader.dataset = dict(
            type='CustomDataset',
            data_root=str(root),
            ann_file='list.txt',
            pipeline=[dict(type='LoadImageFromFile'), *loader.dataset.pipeline],
        )


def save_teacher(model: Config, path: Path) -> None:
    """Random weights for the teacher, or for the classifier that is reused."""
    if 'teacher' in model:
        teacher = MODELS.build(dict(copy.deepcopy(model.teacher), _scope_='mmpretrain'))
        model.teacher_ckpt = synthetic_imagenet.save_random(teacher, path)
        if 'teacher_ckpt' in model.architecture.head:  # SimKD
            model.architecture.head.teacher_ckpt = model.teacher_ckpt
    elif 'teacher_ckpt' in model.head:
        head = model.head
        torch.save(
            {
                'head.fc.weight': torch.randn(head.num_classes, head.teacher_dim),
                'head.fc.bias': torch.randn(head.num_classes),
            },
            path,
        )
        head.teacher_ckpt = str(path)


class NoteHook(Hook):
    """Keep what a run did: iterations, parameters that moved, metrics."""

    priority = 'VERY_LOW'

    def before_train(self, runner) -> None:
        self.first = {name: parameter.detach().clone() for name, parameter in parameters(runner)}

    def after_train(self, runner) -> None:
        last = dict(parameters(runner))
        assert all(value.isfinite().all() for value in last.values())
        self.iterations = runner.iter
        self.moved = [name for name, value in last.items() if not value.equal(self.first[name])]

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics = metrics


def parameters(runner) -> list:
    """The trained parameters, without the wrapper of two processes."""
    model = getattr(runner.model, 'module', runner.model)
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def run(cfg: Config) -> dict:
    """Train and evaluate; what came of it."""
    note = NoteHook()
    with small_models.quickly():
        runner = build_runner(cfg)
        runner.register_hook(note)
        runner.train()
    return dict(iterations=note.iterations, moved=note.moved, metrics=note.metrics)


def run_as(rank: int, cfg: Config, port: int) -> None:
    """Run as one of two processes; the first writes what came of it."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    cfg.launcher = 'pytorch'
    result = run(cfg)
    if rank == 0:
        Path(cfg.work_dir, 'result.json').write_text(json.dumps(result))
    end_distributed()
