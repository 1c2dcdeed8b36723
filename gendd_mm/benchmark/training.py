"""Train a run once, from wherever it was stopped, and count its seconds."""

import gc
import os
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import multiprocessing

from gendd_mm.checkpoint import read_checkpoint
from gendd_mm.engine.latest_checkpoint import is_final, latest_checkpoint
from gendd_mm.engine.launch import build_runner, end_distributed

from .prepared_run import PreparedRun

SECONDS = 'training_seconds'
OnEpoch = Callable[[int, int], None]


class TrainingClock(Hook):
    """Seconds of the training epochs that count, kept in the checkpoints.

    An epoch that was stopped and done again counts once; building models and saving do
    not count. For training by epochs.

    Args:
        on_epoch: Called with the numbers of finished and of all epochs.
    """

    def __init__(self, on_epoch: OnEpoch | None = None) -> None:
        self.on_epoch = on_epoch
        self._started = 0.0

    def before_train_epoch(self, runner) -> None:
        """Start the clock; report the progress of a resumed run."""
        if self.on_epoch:
            self.on_epoch(runner.epoch, runner.max_epochs)
        self._started = time.monotonic()

    # Before CheckpointHook, whose priority is very low, saves it.
    def after_train_epoch(self, runner) -> None:
        """Add the epoch to those before."""
        hub = runner.message_hub
        seconds = hub.runtime_info.get(SECONDS, 0.0)
        hub.update_info(SECONDS, seconds + time.monotonic() - self._started)
        if self.on_epoch:
            self.on_epoch(runner.epoch + 1, runner.max_epochs)


class Trained(NamedTuple):
    """The last checkpoint of a run and what its training took."""

    checkpoint: str
    seconds: float


def train_run(
    run: PreparedRun, teacher_ckpt: str | None = None, on_epoch: OnEpoch | None = None
) -> Trained:
    """Train a run unless it is trained already.

    Args:
        run: The run.
        teacher_ckpt: Checkpoint of its teacher; None for a teacher.
        on_epoch: Called with the numbers of finished and of all epochs.

    Raises:
        FileNotFoundError: If training left no checkpoint.
    """
    cfg = run.runner_config(teacher_ckpt)
    checkpoint = latest_checkpoint(run.work_dir)
    if checkpoint is None or not is_final(checkpoint, cfg.train_cfg):
        if run.processes == 1:
            _train(cfg, on_epoch)
        else:
            _train_together(cfg, run.processes, on_epoch)
        checkpoint = latest_checkpoint(run.work_dir)
    if checkpoint is None:
        raise FileNotFoundError(
            f'training left no checkpoint in {run.work_dir}; its CheckpointHook must save the '
            'last epoch there (save_last=True, no out_dir).'
        )
    content = read_checkpoint(checkpoint, mmap=True)
    return Trained(checkpoint, content['message_hub']['runtime_info'][SECONDS])


def _train(cfg: Config, on_epoch: OnEpoch | None) -> None:
    runner = build_runner(cfg)
    runner.register_hook(TrainingClock(on_epoch))
    # MMEngine logs a line for each parameter of a frozen teacher.
    runner.logger.addFilter(lambda line: 'requires_grad=False' not in line.getMessage())
    runner.train()
    # Runner, loops and hooks refer to each other.
    del runner
    gc.collect()


def _train_together(cfg: Config, processes: int, on_epoch: OnEpoch | None) -> None:
    """Train in several processes, which share the cores; wait for them."""
    if 0 < torch.cuda.device_count() < processes:
        raise ValueError(
            f'processes={processes} need a GPU each, but there are '
            f'{torch.cuda.device_count()}; set CUDA_VISIBLE_DEVICES= to train on the CPU.'
        )
    epochs = multiprocessing.get_context('spawn').SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        # They meet through a file: a port could be in use.
        meeting = f'file://{folder}/store'
        context = multiprocessing.spawn(
            _train_as, (cfg, processes, meeting, epochs), nprocs=processes, join=False
        )
        try:
            ended = False
            while not ended:
                ended = context.join(timeout=0.5)
                while on_epoch and not epochs.empty():
                    on_epoch(*epochs.get())
        finally:
            for process in context.processes:
                process.kill()
                process.join()


def _train_as(rank: int, cfg: Config, processes: int, meeting: str, epochs) -> None:
    """Train as one of several processes; the first reports the epochs."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes))
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    dist_cfg = dict(init_method=meeting, rank=rank, world_size=processes)
    cfg.merge_from_dict({'launcher': 'pytorch', 'env_cfg.dist_cfg': dist_cfg})
    _train(cfg, (lambda *epoch: epochs.put(epoch)) if rank == 0 else None)
    end_distributed()
