"""Runs of a config with small stand-ins for its networks and its data.

What the networks and the images have no say in stays: head, losses, samplers,
optimiser, schedules. Two iterations stand in for an epoch.
"""

import copy
import uuid
from dataclasses import dataclass
from pathlib import Path

import small_models
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from torch.utils.data import Dataset

STEPS_PER_EPOCH = 2


@DATASETS.register_module(force=True)
class Counted(Dataset):
    """So many samples, none of which is read."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


@dataclass
class Run:
    """What a runner trains with, before its first step."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    schedulers: list

    @property
    def decays(self) -> dict[str, float]:
        """Weight decay of every parameter that the optimiser moves."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        return {
            names[id(parameter)]: group['weight_decay']
            for group in self.optimizer.param_groups
            for parameter in group['params']
            if parameter.requires_grad
        }

    def follow(self, epochs: int) -> tuple[list[float], list[tuple]]:
        """Learning rate and betas of every iteration of a training."""
        groups = self.optimizer.param_groups
        lrs, betas = [], []
        for step in range(1, epochs * STEPS_PER_EPOCH + 1):
            # The same for all parameters.
            ((lr, beta),) = {(g['lr'], tuple(g.get('betas', ()))) for g in groups}
            lrs.append(lr)
            betas.append(beta)
            # As MMEngine's ParamSchedulerHook.
            for scheduler in self.schedulers:
                if not scheduler.by_epoch or step % STEPS_PER_EPOCH == 0:
                    scheduler.step()
        return lrs, betas


def build(cfg: Config, folder: Path, student_dim: int | None = None) -> Run:
    """Build the run of a config.

    Args:
        cfg: Config of GenDD, of a stage 1, or of a plain classifier.
        folder: Where files may be written.
        student_dim: Size of the student's feature, of the latter two.
    """
    cfg = copy.deepcopy(cfg)
    if student_dim is None:
        teacher = cfg.model.teacher.head
        small_backbone(cfg.model.teacher, teacher.in_channels)
        # Transformers have none, and this network gives a map.
        if cfg.model.teacher.get('neck') is None:
            cfg.model.teacher.neck = dict(type='mmpretrain.GlobalAveragePooling')
        small_backbone(cfg.model.architecture, cfg.model.architecture.head.in_channels)
        cfg.model.teacher_ckpt = saved(folder, cfg.model.teacher)
    else:
        head = cfg.model.head
        small_backbone(cfg.model, student_dim)
        if 'teacher_dim' in head:
            head.teacher_ckpt = saved(
                folder,
                dict(
                    small_models.classifier(1),
                    head=dict(
                        type='mmpretrain.LinearClsHead',
                        num_classes=head.num_classes,
                        in_channels=head.teacher_dim,
                    ),
                ),
            )
    loader = cfg.train_dataloader
    length = STEPS_PER_EPOCH * loader.batch_size
    loader.num_workers = 0
    loader.dataset = dict(type='Counted', length=length)
    if 'length' in loader.sampler:
        loader.sampler.length = length
    for name in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{name}_{part}'] = None
    cfg.work_dir = str(folder)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.log_level = 'ERROR'
    runner = small_models.runner_of(cfg)
    # What Runner.train does before its first step.
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return Run(runner.model, runner.optim_wrapper.optimizer, schedulers)


def small_backbone(model: dict, channels: int) -> None:
    """Put a tiny network, with a feature of so many channels, into a model."""
    model['backbone'] = dict(type='SmallBackbone', channels=channels)


def saved(folder: Path, model: dict) -> str:
    """Random weights of a model, as a checkpoint."""
    path = str(folder / 'teacher.pth')
    built = MODELS.build(dict(model, _scope_='mmpretrain'))
    torch.save(dict(state_dict=built.state_dict()), path)
    return path
