"""Tiny models, configs and runs for the tests of the algorithm and above."""

import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import Runner
from torch import nn

from gendd_mm.engine import stages
from gendd_mm.engine.options import RunOptions
from gendd_mm.generative.training_noise import TrainingNoise
from gendd_mm.models import GenerativeHead

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
NUM_CLASSES, STUDENT_DIM, TEACHER_DIM = 3, 4, 8


@MODELS.register_module(force=True)
class SmallBackbone(BaseModule):
    """One convolution, and whatever behaves differently while training."""

    def __init__(
        self,
        channels: int,
        norm: str = 'BN',
        dropout: float = 0.0,
        drop_path: float = 0.0,
        init_cfg=None,
    ) -> None:
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels) if norm == 'BN' else nn.GroupNorm(2, channels)
        self.dropout = nn.Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        return (x + self.drop_path(self.dropout(x)),)


@MODELS.register_module(force=True)
class SlicedHead(GenerativeHead):
    """Draws for the whole batch of all processes on the CPU, and takes its own part.

    An image then has the same noise on every device, however many processes share a batch.
    """

    step = 0

    def training_noise(self, batch_size, device, generator=None) -> TrainingNoise:
        rank, world_size = get_rank(), get_world_size()
        generator = torch.Generator().manual_seed(self.step)
        self.step += 1
        num_images = batch_size * world_size
        uniform, noise, keep = super().training_noise(num_images, torch.device('cpu'), generator)

        def mine(timesteps: torch.Tensor) -> torch.Tensor:
            by_image = timesteps.unflatten(0, (num_images, -1))
            return by_image[rank::world_size].flatten(0, 1).to(device)

        return TrainingNoise(mine(uniform), mine(noise.transpose(0, 1)).transpose(0, 1), mine(keep))


def classifier(dim: int, head: str = 'LinearClsHead', **settings) -> dict:
    """Config of a classifier with a feature of size ``dim``."""
    backbone = dict(type='SmallBackbone', channels=dim)
    backbone.update(settings.pop('backbone', {}))
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=backbone,
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type=head,
            num_classes=NUM_CLASSES,
            in_channels=dim,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
            **settings.pop('head_settings', {}),
        ),
        **settings,
    )


def teacher(**settings) -> dict:
    return classifier(TEACHER_DIM, 'mmpretrain.LinearClsHead', **settings)


def student(trainable: bool = True, **settings) -> dict:
    return classifier(
        STUDENT_DIM, 'gendd_mm.LinearProbeHead', head_settings=dict(trainable=trainable), **settings
    )


def built_teacher(**settings) -> nn.Module:
    """A teacher with random weights and statistics, as if trained."""
    model = MODELS.build(teacher(**settings))
    with torch.no_grad():
        for tensor in (*model.parameters(), model.backbone.norm.running_mean):
            tensor.normal_()
        model.backbone.norm.running_var.uniform_(0.5, 2)
    return model


def saved_teacher(path, **settings) -> str:
    torch.save(dict(state_dict=built_teacher(**settings).state_dict()), str(path))
    return str(path)


def gendd(supervised: bool = True, head: dict = {}, **settings) -> dict:
    """Config of the algorithm, by the base configs, on the tiny models."""
    name = 'gendd_supervised.py' if supervised else 'gendd.py'
    model = Config.fromfile(CONFIGS / '_base_' / 'models' / name).model
    model.distiller.connectors.condition.normalized_shape = STUDENT_DIM
    loss = model.distiller.distill_losses.loss_gendd
    loss.head.update(
        condition_dim=STUDENT_DIM,
        target_dim=TEACHER_DIM,
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=8, depth=1),
        sampling=dict(type='ancestral', num_steps=3, start_t=900, guidance_scale=2.0),
        repeats=2,
    )
    loss.head.update(head)
    model.architecture = student(trainable=supervised)
    # A plain dict first: a ConfigDict would merge instead of replace.
    return {**model.to_dict(), **settings}


def built(supervised: bool = True, **settings):
    """The algorithm with a teacher of random weights."""
    settings.setdefault('teacher', built_teacher())
    model = MODELS.build(gendd(supervised, **settings))
    model.init_weights()
    return model


def batch(size: int = 6, labels: bool = True) -> dict:
    """What a dataloader gives: raw images and samples."""
    from mmpretrain.structures import DataSample

    samples = [DataSample() for _ in range(size)]
    if labels:
        for index, sample in enumerate(samples):
            sample.set_gt_label(index % NUM_CLASSES)
    return dict(inputs=torch.randint(0, 256, (size, 3, 8, 8)).float(), data_samples=samples)


def losses_of(model, data: dict) -> dict:
    """Losses of a training batch."""
    data = model.data_preprocessor(data, True)
    return model(data['inputs'], data['data_samples'], mode='loss')


def recorded_generators(monkeypatch) -> list[tuple]:
    """Arguments of every random generator that is made, as the list grows.

    One without a device is the CPU's, whose numbers no other device takes.
    """
    made, kind = [], torch.Generator

    def make(*args) -> torch.Generator:
        made.append(args)
        return kind(*args)

    monkeypatch.setattr(torch, 'Generator', make)
    return made


# Runs on the digits.
def shrunk(config: str, work_dir, teacher_ckpt: str = '') -> Config:
    """A config of ours, made small: few images, a tiny head, few steps."""
    cfg = Config.fromfile(CONFIGS / config)
    cfg.work_dir = str(work_dir)
    # MMEngine names a run by the second; two of one second share their logs.
    cfg.experiment_name = uuid.uuid4().hex
    cfg.train_dataloader.batch_size = 8
    cfg.train_dataloader.dataset.indices = 24
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 10
        loader.dataset.indices = 20
    cfg.train_cfg.update(max_epochs=3, val_interval=1)
    for scheduler in cfg.param_scheduler:
        if scheduler.get('end', 1) > 1:
            scheduler.end = 3
    cfg.log_level = 'ERROR'
    # Of the algorithm, or of a head that reuses the classifier.
    for part in (
        cfg.model,
        cfg.model.get('head', {}),
        cfg.model.get('architecture', {}).get('head', {}),
    ):
        if 'teacher_ckpt' in part:
            part.teacher_ckpt = teacher_ckpt
    if cfg.model.type.endswith('GenDD'):
        head = head_of(cfg)
        head = head.get('residual', head)
        head.denoiser.update(width=16, depth=1)
        if head.get('type', '').endswith('GenerativeHead'):
            head.repeats = 2
            # An ablation of the sampler keeps its own.
            head.setdefault(
                'sampling', dict(type='ancestral', num_steps=3, start_t=900, guidance_scale=2.0)
            )
    return cfg


def head_of(cfg: Config) -> dict:
    return cfg.model.distiller.distill_losses.loss_gendd.head


def digits_teacher(path) -> str:
    """A checkpoint for the teacher of the digits; no step was trained."""
    cfg = Config.fromfile(CONFIGS / 'digits' / 'teacher_digits.py')
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), str(path))
    return str(path)


@contextmanager
def quickly():
    """Without what takes seconds a run and matters to no test.

    Looking for compilers, and formatting the config for logs and checkpoints.
    """

    def unformatted(text: str, **kwargs) -> tuple:
        return text, True

    with (
        mock.patch('mmengine.runner.runner.collect_env', dict),
        mock.patch(
            # The OneDL fork imports it when it is used.
            'yapf.yapflib.yapf_api.FormatCode',
            unformatted,
        ),
        mock.patch('mmengine.config.config.FormatCode', unformatted, create=True),
    ):
        yield


def runner_of(cfg: Config) -> Runner:
    with quickly():
        return Runner.from_cfg(cfg)


def trained(cfg: Config) -> Runner:
    runner = runner_of(cfg)
    with quickly():
        runner.train()
    return runner


@HOOKS.register_module(force=True)
class PauseHook(Hook):
    """Wait in the middle of an epoch, so that a test can kill the run there.

    Only where this process was told to, by ``pause_in``.
    """

    priority = 'VERY_LOW'
    pause_in = None

    def after_train_iter(self, runner, batch_idx: int, **kwargs) -> None:
        if (runner.epoch, batch_idx) == (1, 1) and runner.work_dir == self.pause_in:
            time.sleep(300)


def train_in_stages(config: str, options: RunOptions, pause_in: str | None = None) -> None:
    """What ``tools/train.py`` does, for a process of its own."""
    torch.set_num_threads(1)
    PauseHook.pause_in = pause_in
    with quickly():
        stages.train_stages(config, options)
