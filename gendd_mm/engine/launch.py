"""Build, train and test on one process or several, with CUDA or without."""

import gc

import mmengine
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import init_dist, is_distributed
from mmengine.evaluator import DumpResults
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing

from gendd_mm.compat import init_gloo
from gendd_mm.engine.hooks import CheckpointFitHook
from gendd_mm.engine.options import RunOptions, merge_test, read_config

__all__ = ['build_runner', 'end_distributed', 'run_test', 'run_training', 'start_processes']


def run_training(cfg: Config) -> None:
    """Train a merged config, then free the memory for the next one.

    The process group stays open for it; :func:`end_distributed` ends it.
    """
    runner = build_runner(cfg)
    runner.register_hook(CheckpointFitHook(strict=bool(cfg.get('resume'))))
    runner.train()
    # Runner, loops and hooks refer to each other.
    del runner
    gc.collect()
    torch.cuda.empty_cache()


def run_test(
    config: str,
    checkpoint: str,
    options: RunOptions,
    out: str | None = None,
    out_item: str | None = None,
) -> dict:
    """Evaluate a checkpoint.

    Args:
        config: Config file.
        checkpoint: Checkpoint file.
        options: How to run it.
        out: File to write results to.
        out_item: What to write: ``'pred'``, the predictions, or ``'metrics'``. None
            writes predictions.

    Returns:
        The metrics.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If options contradict each other or the config.
    """
    _check_out(out, out_item)
    runner = build_runner(merge_test(read_config(config), checkpoint, options))
    runner.register_hook(CheckpointFitHook())
    if out and out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=out))
    metrics = runner.test()
    if out and out_item == 'metrics' and runner.rank == 0:
        mmengine.dump(metrics, out)
    end_distributed()
    return metrics


def _check_out(out: str | None, out_item: str | None) -> None:
    if out is None:
        if out_item is not None:
            raise ValueError(f'--out-item {out_item} says what to write; name the file with --out.')
    elif out_item != 'metrics' and not out.endswith(('.pkl', '.pickle')):
        raise ValueError(
            f'--out {out}: predictions are written as .pkl or .pickle; use such a name, '
            'or --out-item metrics for a .json.'
        )


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a merged config, with CUDA or without."""
    start_processes(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def start_processes(cfg: Config) -> None:
    """Start the process group of a merged config, unless it has none or has started.

    Over NCCL with CUDA, else over gloo. A second stage keeps the group of the first, and
    the runner does too.
    """
    if cfg.launcher == 'none':
        return
    on_cpu = get_device() == 'cpu'
    env_cfg = cfg.get('env_cfg') or {}
    dist_cfg = dict(env_cfg.get('dist_cfg') or {})
    if on_cpu:
        dist_cfg['backend'] = 'gloo'
    if not is_distributed():
        # Before the process group starts, as in Runner.setup_env.
        set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
        if on_cpu:
            init_gloo(cfg.launcher, dist_cfg)
        else:
            init_dist(cfg.launcher, **dist_cfg)
    if on_cpu:
        cfg.env_cfg = {**env_cfg, 'dist_cfg': dist_cfg}
        _keep_off_gpus(cfg)


def _keep_off_gpus(cfg: Config) -> None:
    """Keep DDP off GPUs."""
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    # MMEngine would fill in [LOCAL_RANK], a GPU.
    cfg.model_wrapper_cfg.setdefault('device_ids', None)


def end_distributed() -> None:
    """End the process group, if there is one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
