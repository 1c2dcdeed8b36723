"""Processes of a run that get signals at a chosen place."""

import os
import signal
import time

import small_models
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from gendd_mm.engine.options import RunOptions


@HOOKS.register_module(force=True)
class SignalsHook(Hook):
    """Send signals to this process, from some step on: (stage, step, event, gap) or None.

    The gap is that to a second signal, in seconds; 0 sends one alone.
    """

    stop: tuple | None = None

    def _reached(self, runner, event: str) -> None:
        if SignalsHook.stop is None:
            return
        stage, step, where, gap = SignalsHook.stop
        here = 1 if runner.work_dir.endswith('stage1') else 2
        if (here, where) != (stage, event) or runner.iter < step:
            return
        SignalsHook.stop = None
        os.kill(os.getpid(), signal.SIGTERM)
        if gap:
            time.sleep(gap)
            os.kill(os.getpid(), signal.SIGTERM)

    def before_train_iter(self, runner, batch_idx: int, **kwargs) -> None:
        self._reached(runner, 'train')

    def before_val_iter(self, runner, batch_idx: int, **kwargs) -> None:
        self._reached(runner, 'val')


def train(config: str, work_dir: str, rank: int, processes: int, port: int, stop) -> None:
    """One process of a run."""
    if processes > 1:
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
    SignalsHook.stop = stop
    launcher = 'pytorch' if processes > 1 else 'none'
    options = RunOptions(work_dir=work_dir, resume='auto', launcher=launcher)
    small_models.train_in_stages(config, options)
