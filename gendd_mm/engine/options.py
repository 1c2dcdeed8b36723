"""Options of a run, and what they change in its config.

They mean the same as in MMPretrain. In addition, a config works without a GPU and
without worker processes, and a missing file is an error before anything is built.
"""

import os
import os.path as osp
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger

from gendd_mm.annotations import check_annotations
from gendd_mm.checkpoint import check_checkpoint, local_file
from gendd_mm.config_check import check_config
from gendd_mm.engine.grouped_parameters import group_parameters
from gendd_mm.engine.model import measure_model
from gendd_mm.engine.views import expand_views, use_store
from gendd_mm.registry import type_name
from gendd_mm.shipped import existing_or_shipped

__all__ = ['RunOptions', 'merge_test', 'merge_train', 'read_complete', 'read_config', 'read_run']

# The environment variable that a launcher needs, and the command that sets it.
_LAUNCHER_VARIABLES = dict(
    pytorch=('RANK', 'torchrun (bash tools/dist_train.sh CONFIG NPROC)'),
    slurm=('SLURM_PROCID', 'srun (bash tools/slurm_train.sh)'),
    mpi=('OMPI_COMM_WORLD_LOCAL_RANK', 'mpirun'),
)

_TENSORBOARD = 'TensorboardVisBackend'


@dataclass(frozen=True)
class RunOptions:
    """How to run a config; the defaults leave it as it is.

    Attributes:
        work_dir: Folder of logs and checkpoints. None takes the config's, or
            ``work_dirs/`` and the config's name.
        cfg_options: Settings of the config to override, by dotted name.
        launcher: Who started the processes: ``'none'``, ``'pytorch'``, ``'slurm'`` or
            ``'mpi'``.
        local_rank: Rank on this machine, unless the environment gives it.
        amp: Whether to compute in mixed precision.
        pin_memory: False keeps the memory of batches unpinned.
        persistent_workers: False restarts the dataloader workers each epoch.
        resume: Checkpoint to go on from; ``'auto'`` is the latest in the work dir, or the
            beginning if there is none. This and the fields below are for training.
        stage: 1 or 2 to run that stage alone.
        validate: False trains without evaluation.
        auto_scale_lr: Whether to scale the learning rate to the batch size.
        teacher_store: Folder of stored features to train from in place of the teacher.
        tensorboard: Whether to log for TensorBoard too, beside the JSON log.
    """

    work_dir: str | None = None
    cfg_options: dict[str, Any] | None = None
    launcher: str = 'none'
    local_rank: int = 0
    amp: bool = False
    pin_memory: bool = True
    persistent_workers: bool = True
    resume: str | None = None
    stage: int | None = None
    validate: bool = True
    auto_scale_lr: bool = False
    teacher_store: str | None = None
    tensorboard: bool = False


def read_config(path: str, choices: Mapping[str, str] | None = None) -> Config:
    """Read a config file.

    Args:
        path: The file. Where there is no such file, a path that begins with ``configs/``
            is that of a config of this package.
        choices: Values of its variables, which it writes ``{{$NAME:default}}``. A
            variable without a value here has that of the environment.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = existing_or_shipped(path)
    _check_file('config', path)
    if not choices:
        return Config.fromfile(path)
    # MMEngine logs a line for each variable, and ignores logging.disable().
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        with mock.patch.dict(os.environ, choices):
            return Config.fromfile(path)
    finally:
        logger.setLevel(level)


def read_run(path: str, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, override settings of it by dotted name, check and complete it.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If a setting cannot be meant so.
        ValueError: If a size that the model leaves open cannot be measured.
    """
    cfg = read_complete(path, cfg_options)
    expand_views(cfg)
    return cfg


def read_complete(path: str, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """As :func:`read_run`, without writing out what follows from views or a store."""
    cfg = read_config(path)
    cfg.merge_from_dict(dict(cfg_options or {}))
    check_config(cfg)
    measure_model(cfg)
    return cfg


def merge_train(cfg: Config, options: RunOptions) -> Config:
    """Merge the options of a training into its config, in place.

    Not ``resume``: that needs the other ranks, see :func:`gendd_mm.engine.resume.resume_from`.

    Raises:
        ValueError: If an option contradicts the config or the machine, or an annotation
            file cannot be read.
    """
    _merge_common(cfg, options)

    if not options.validate:
        cfg.val_cfg = None
        cfg.val_dataloader = None
        cfg.val_evaluator = None
    check_annotations(cfg, ('train', 'val'))

    if options.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError(
                '--auto-scale-lr needs the batch size that the learning rate was chosen for; set '
                f'auto_scale_lr=dict(base_batch_size=...) in {cfg.filename}.'
            )
        cfg.auto_scale_lr.enable = True

    if options.tensorboard:
        _use_tensorboard(cfg)
    if options.amp:
        _use_amp(cfg)
    _check_amp_device(cfg)
    group_parameters(cfg.get('optim_wrapper'))

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _complete_dataloader(cfg.get(name), options)
    return cfg


def merge_test(cfg: Config, checkpoint: str, options: RunOptions) -> Config:
    """Merge the checkpoint and the options of a test into a config, in place.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the checkpoint has no good weights, an annotation file cannot be
            read, or an option contradicts the config.
    """
    _merge_common(cfg, options)
    for name in ('test_cfg', 'test_dataloader', 'test_evaluator'):
        if cfg.get(name) is None:
            raise ValueError(
                f'{cfg.filename} has no {name}; a test needs '
                'test_cfg, test_dataloader, test_evaluator.'
            )
    check_annotations(cfg, ('test',))
    if '://' not in checkpoint:
        check_checkpoint(checkpoint, resumable=False)
        checkpoint = local_file(checkpoint)
    cfg.load_from = checkpoint
    cfg.resume = False
    if options.amp:
        cfg.test_cfg.fp16 = True
    _complete_dataloader(cfg.test_dataloader, options)
    return cfg


def _merge_common(cfg: Config, options: RunOptions) -> Config:
    """Merge overridden settings, launcher and work dir, in place."""
    # First, so that what follows sees the settings that will be used.
    if options.cfg_options is not None:
        cfg.merge_from_dict(options.cfg_options)
    if options.teacher_store is not None:
        use_store(cfg, options.teacher_store)
    check_config(cfg)
    measure_model(cfg)
    expand_views(cfg)

    if options.launcher != 'none':
        variable, starter = _LAUNCHER_VARIABLES[options.launcher]
        if variable not in os.environ:
            raise ValueError(
                f'--launcher {options.launcher} needs {variable} in the environment, which '
                f'{starter} sets; start it that way, or leave --launcher out for a single process.'
            )
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    cfg.launcher = options.launcher

    if options.work_dir is not None:
        cfg.work_dir = options.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(cfg.filename))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def _complete_dataloader(loader: dict | None, options: RunOptions) -> None:
    """Set MMPretrain's defaults in a dataloader, where they can work."""
    if loader is None:
        return
    loader.setdefault('collate_fn', dict(type='default_collate'))
    # Pinning without CUDA gains nothing and warns.
    loader.setdefault('pin_memory', torch.cuda.is_available())
    loader.setdefault('num_workers', 0)
    loader.setdefault('persistent_workers', True)
    if not options.pin_memory:
        loader['pin_memory'] = False
    if not options.persistent_workers:
        loader['persistent_workers'] = False
    if loader['num_workers'] == 0:
        # torch refuses both where there is no worker.
        loader['persistent_workers'] = False
        loader.pop('prefetch_factor', None)


def _check_file(what: str, path: str) -> None:
    # s3://..., https://... and the like are fetched by MMEngine's backends.
    if '://' in path or osp.isfile(osp.expanduser(path)):
        return
    raise FileNotFoundError(
        f'{what} not found: {path} is not a file (from {os.getcwd()}); check the path.'
    )


def _use_tensorboard(cfg: Config) -> None:
    if find_spec('tensorboard') is None:
        raise ValueError(
            '--tensorboard needs tensorboard; pip install tensorboard, or leave the option out.'
        )
    visualizer = dict(cfg.get('visualizer') or dict(type='Visualizer'))
    backends = list(visualizer.get('vis_backends') or [dict(type='LocalVisBackend')])
    if not any(type_name(each['type']) == _TENSORBOARD for each in backends):
        backends.append(dict(type=_TENSORBOARD))
    cfg.visualizer = dict(visualizer, vis_backends=backends)


def _use_amp(cfg: Config) -> None:
    kind = type_name(cfg.optim_wrapper.get('type', 'OptimWrapper'))
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'--amp turns OptimWrapper into AmpOptimWrapper; optim_wrapper.type={kind} is neither. '
            'Choose the precision in the config instead.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _check_amp_device(cfg: Config) -> None:
    kind = (cfg.get('optim_wrapper') or {}).get('type')
    device = get_device()
    if type_name(kind) == 'AmpOptimWrapper' and device in ('cpu', 'mps'):
        raise ValueError(
            f'AmpOptimWrapper (--amp) cannot train on {device}: MMEngine scales mixed-precision '
            'losses on CUDA-like devices only. Leave --amp out, or override the config with '
            '--cfg-options optim_wrapper.type=OptimWrapper.'
        )
