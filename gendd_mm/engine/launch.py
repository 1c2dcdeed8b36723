"""Build, train and test on one process or several, with CUDA or without."""

import argparse
import gc

import mmengine
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.evaluator import DumpResults
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing

from gendd_mm.compat import init_gloo
from gendd_mm.engine.options import merge_test, read_config

__all__ = ['build_runner', 'end_distributed', 'run_training', 'test']


def run_training(cfg: Config) -> None:
    """Train a merged config, and leave the memory free for the next one.

    The processes stay together for it; :func:`end_distributed` parts them.
    """
    runner = build_runner(cfg)
    runner.train()
    # Runner, loops and hooks refer to each other.
    del runner
    gc.collect()
    torch.cuda.empty_cache()


def test(args: argparse.Namespace) -> dict:
    """Evaluate as ``tools/test.py`` was asked to; returns the metrics."""
    cfg = merge_test(read_config(args.config), args)
    runner = build_runner(cfg)
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    metrics = runner.test()
    if args.out and args.out_item == 'metrics' and runner.rank == 0:
        mmengine.dump(metrics, args.out)
    end_distributed()
    return metrics


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a merged config, on whatever machine this is."""
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _start_on_cpu(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def _start_on_cpu(cfg: Config) -> None:
    """Start the processes over gloo, and let DDP place nothing."""
    env_cfg = cfg.get('env_cfg') or {}
    # Before the processes meet, as Runner.setup_env does.
    set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
    dist_cfg = {**env_cfg.get('dist_cfg', {}), 'backend': 'gloo'}
    # The runner leaves an initialised process group as it is, and so does
    # the second stage that of the first.
    if not is_distributed():
        init_gloo(cfg.launcher, dist_cfg)
    cfg.env_cfg = {**env_cfg, 'dist_cfg': dist_cfg}

    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    # MMEngine would fill in [LOCAL_RANK], a GPU.
    cfg.model_wrapper_cfg.setdefault('device_ids', None)


def end_distributed() -> None:
    """Leave the process group, if this process is in one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
