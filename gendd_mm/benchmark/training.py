"""Train a run once, from wherever it was stopped, and count its seconds."""

import gc
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from gendd_mm.engine.latest_checkpoint import is_final, latest_checkpoint
from gendd_mm.engine.launch import build_runner

SECONDS = 'training_seconds'
OnEpoch = Callable[[int, int], None]


class TrainingClock(Hook):
    """Seconds of the training epochs that count, kept in the checkpoints.

    An epoch that was stopped and done again counts once; building models and
    saving do not count. For training by epochs.

    Args:
        on_epoch: Called with the finished and with all epochs.
    """

    def __init__(self, on_epoch: OnEpoch | None = None) -> None:
        self.on_epoch = on_epoch
        self._started = 0.0

    def before_train_epoch(self, runner) -> None:
        """Start; tell where a resumed run is."""
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


def train(cfg: Config, on_epoch: OnEpoch | None = None) -> Trained:
    """Train a prepared config unless that is done already."""
    checkpoint = latest_checkpoint(cfg.work_dir)
    if checkpoint is None or not is_final(checkpoint, cfg.train_cfg):
        runner = build_runner(cfg)
        runner.register_hook(TrainingClock(on_epoch))
        runner.train()
        # Runner, loops and hooks refer to each other.
        del runner
        gc.collect()
        checkpoint = latest_checkpoint(cfg.work_dir)
    content = torch.load(checkpoint, map_location='cpu', mmap=True, weights_only=True)
    return Trained(checkpoint, content['message_hub']['runtime_info'][SECONDS])
