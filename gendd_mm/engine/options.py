"""Options of ``tools/train.py`` and ``tools/test.py``, and what they change.

They mean what they mean in MMPretrain. On top of that, a config works without
a GPU and without worker processes, and a file that is missing is named before
anything is built.
"""

import argparse
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.device import get_device

from gendd_mm.engine.dataloader_defaults import complete_dataloader
from gendd_mm.engine.latest_checkpoint import latest_checkpoint

__all__ = ['add_common_arguments', 'merge_common', 'merge_test', 'merge_train', 'read_config']

# What a launcher needs to find in the environment, and who puts it there.
_LAUNCHER_VARIABLES = dict(
    pytorch=('RANK', 'torchrun (bash tools/dist_train.sh CONFIG NPROC)'),
    slurm=('SLURM_PROCID', 'srun (bash tools/slurm_train.sh)'),
    mpi=('OMPI_COMM_WORLD_LOCAL_RANK', 'mpirun'),
)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing share."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument('--amp', action='store_true', help='compute in mixed precision')
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='do not pin the memory of batches (pinned if there is CUDA)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value; lists as '
        'key="[a,b]" or key=a,b, nested ones as key="[(a,b),(c,d)]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes of a distributed run',
    )
    # torch.distributed.launch passes either spelling; torchrun sets LOCAL_RANK.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def read_config(path: str) -> Config:
    """Read a config file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    _check_file('config', path)
    return Config.fromfile(path)


def merge_train(cfg: Config, args: argparse.Namespace) -> Config:
    """Merge the options of ``tools/train.py`` into a config, in place.

    Raises:
        FileNotFoundError: If ``--resume`` names a file that is not there.
        ValueError: If an option does not go with the config or the machine,
            or the run to resume has lost its checkpoints.
    """
    merge_common(cfg, args)
    _merge_resume(cfg, args)

    if args.no_validate:
        cfg.val_cfg = None
        cfg.val_dataloader = None
        cfg.val_evaluator = None

    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError(
                '--auto-scale-lr needs the batch size that the learning rate '
                'belongs to; set auto_scale_lr=dict(base_batch_size=...) in '
                f'{args.config}.'
            )
        cfg.auto_scale_lr.enable = True

    if args.amp:
        _use_amp(cfg)
    _check_amp_device(cfg)

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        complete_dataloader(cfg.get(name), args)
    return cfg


def merge_test(cfg: Config, args: argparse.Namespace) -> Config:
    """Merge the options of ``tools/test.py`` into a config, in place.

    Raises:
        FileNotFoundError: If the checkpoint is not there.
        ValueError: If an option does not go with the config or another one.
    """
    if args.out is None and args.out_item is not None:
        raise ValueError(
            f'--out-item {args.out_item} says what to write; name the file with --out.'
        )
    writes_predictions = args.out is not None and args.out_item != 'metrics'
    if writes_predictions and not args.out.endswith(('.pkl', '.pickle')):
        raise ValueError(
            f'--out {args.out}: predictions are written as .pkl or .pickle; use such a name, '
            'or --out-item metrics for a .json.'
        )
    _check_file('checkpoint', args.checkpoint)
    merge_common(cfg, args)
    for name in ('test_cfg', 'test_dataloader', 'test_evaluator'):
        if cfg.get(name) is None:
            raise ValueError(
                f'{args.config} has no {name}; a test needs '
                'test_cfg, test_dataloader, test_evaluator.'
            )
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.amp:
        cfg.test_cfg.fp16 = True
    complete_dataloader(cfg.test_dataloader, args)
    return cfg


def merge_common(cfg: Config, args: argparse.Namespace) -> Config:
    """Merge ``--cfg-options``, ``--launcher`` and ``--work-dir``."""
    # First, so that what follows sees the settings that will be used.
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)

    if args.launcher != 'none':
        variable, starter = _LAUNCHER_VARIABLES[args.launcher]
        if variable not in os.environ:
            raise ValueError(
                f'--launcher {args.launcher} needs {variable} in the '
                f'environment, which {starter} sets; start it that way, or '
                'leave --launcher out for a single process.'
            )
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher

    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def _check_file(what: str, path: str) -> None:
    # s3://..., https://... and the like are fetched by MMEngine's backends.
    if '://' in path or osp.isfile(osp.expanduser(path)):
        return
    raise FileNotFoundError(
        f'{what} not found: {path} is not a file (from {os.getcwd()}); check the path.'
    )


def _merge_resume(cfg: Config, args: argparse.Namespace) -> None:
    """Name the checkpoint to go on from in ``load_from``, if there is one."""
    if args.resume not in (None, 'auto'):
        _check_file('--resume checkpoint', args.resume)
        cfg.resume, cfg.load_from = True, args.resume
    elif args.resume == 'auto' or (cfg.get('resume') and cfg.get('load_from') is None):
        latest = latest_checkpoint(cfg.work_dir)
        # Nothing there yet: a run from the beginning, by the same command.
        cfg.resume = latest is not None
        if latest is not None:
            cfg.load_from = latest


def _use_amp(cfg: Config) -> None:
    kind = _type_name(cfg.optim_wrapper.get('type', 'OptimWrapper'))
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'--amp turns OptimWrapper into AmpOptimWrapper; '
            f'optim_wrapper.type={kind} is neither. Choose the '
            'precision in the config instead.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _check_amp_device(cfg: Config) -> None:
    kind = (cfg.get('optim_wrapper') or {}).get('type')
    device = get_device()
    if _type_name(kind) == 'AmpOptimWrapper' and device in ('cpu', 'mps'):
        raise ValueError(
            f'AmpOptimWrapper (--amp) cannot train on {device}: '
            'MMEngine scales mixed-precision losses on CUDA-like devices '
            'only. Leave --amp out, or override the config with '
            '--cfg-options optim_wrapper.type=OptimWrapper.'
        )


def _type_name(kind) -> str:
    """Name a type, given as a class or as 'scope.Name'."""
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]
