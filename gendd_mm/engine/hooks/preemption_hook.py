"""Save and stop when a scheduler asks for it, and go on at that very step."""

import bisect
import functools
import logging
import os
import os.path as osp
from typing import Any

import torch
import torch.distributed as torch_dist
from mmengine.dist import is_distributed, is_main_process
from mmengine.fileio import put_text, remove
from mmengine.hooks import CheckpointHook, Hook

from gendd_mm.engine.batches import rest_of_epoch
from gendd_mm.engine.ranks import stated_timeout
from gendd_mm.engine.stop_signals import STOP_SIGNALS, exit_status, protect_loader_worker
from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Answer SIGTERM, SIGUSR1 and Ctrl-C with a checkpoint, then end the process.

    The exit status is 75 ("go on"), or 130 after Ctrl-C. A signal to one process stops
    all of them at the same step: each step a vote is begun, on the CPU, whose result is
    read at the next step. A signal during validation acts at its end.

    ``iter_N.pth`` beside the other checkpoints holds iteration N. Resumed from it, an
    epoch goes on at its next batch; the file is removed once the run has saved another.

    A checkpoint of an epoch or iteration that is followed by a validation is saved before
    it. A run that is resumed from one validates first: that validation may have been cut
    off, and whether it gave the best score is not in the checkpoint.
    """

    # After all others, CheckpointHook among them.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.first = 0
        self.interim: str | None = None
        self.validated = False
        self._group: Any = None
        self._vote: Any = None

    def before_run(self, runner) -> None:
        """Listen, and let workers of dataloaders outlive signals to their group."""
        STOP_SIGNALS.listen()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the place in the epoch from a checkpoint of this hook."""
        meta = checkpoint.get('meta') or {}
        self.first = meta.get('batches_done', 0)
        self.interim = meta.get('interim')
        self.validated = meta.get('validated', False)

    def before_train(self, runner) -> None:
        """Start the group of the votes, and validate where the resumed run did not."""
        if is_distributed():
            self._group = torch_dist.new_group(None, stated_timeout(runner.cfg), backend='gloo')
        for loop in (runner.train_loop, runner.val_loop):
            loader: Any = getattr(loop, 'dataloader', None)
            if getattr(loader, 'num_workers', 0) > 0:
                loader.worker_init_fn = functools.partial(
                    protect_loader_worker, loader.worker_init_fn
                )
        if runner.iter == 0:  # weights were loaded, no run is resumed
            self.first, self.interim = 0, None
        elif not self.validated and self.first == 0 and _validation_is_due(runner):
            runner.val_loop.run()

    def before_train_epoch(self, runner) -> None:
        """Begin at the batch after the last one done."""
        loop, first = runner.train_loop, self.first
        if first == 0 or hasattr(loop, 'dataloader_iterator'):
            return
        self._whole = loop.dataloader
        loop.dataloader = rest_of_epoch(loop.dataloader, first)
        run_iter = loop.run_iter
        loop.run_iter = lambda idx, data_batch: run_iter(idx + first, data_batch)

    def after_train_epoch(self, runner) -> None:
        """Later epochs are whole."""
        if self.first and 'run_iter' in vars(runner.train_loop):
            del runner.train_loop.run_iter
            runner.train_loop.dataloader = self._whole
        self.first = 0
        self._remove_outdated(runner)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Stop if a process was asked to, where no gradient waits for more batches."""
        self._remove_outdated(runner)
        number = self._asked()
        if not number or not runner.optim_wrapper.should_update():
            return
        by_iteration = hasattr(runner.train_loop, 'dataloader_iterator')
        self._stop(runner, number, runner.iter + 1, 0 if by_iteration else batch_idx + 1)

    def after_val(self, runner) -> None:
        """Stop after a validation, unless the run is at its end anyway."""
        loop = runner.train_loop if runner.optim_wrapper is not None else None
        if loop is None or not hasattr(loop, 'iter') or runner.iter in (0, runner.max_iters):
            return
        # The vote of the last step, and one of now.
        number = max(self._asked(), self._asked(wait=True))
        if number:
            self._stop(runner, number, runner.iter, 0, validated=True)

    def after_train(self, runner) -> None:
        """End the last vote and give the signals back."""
        self._asked()
        if self._vote is not None:
            self._vote[0].wait()
            self._vote = None
        STOP_SIGNALS.restore()

    def _asked(self, wait: bool = False) -> int:
        """The signal that any process received, by the vote begun at the last step; or 0."""
        mine = int(STOP_SIGNALS.received or 0)
        if self._group is None:
            return mine
        before, result = self._vote, 0
        number = torch.tensor(mine)
        if before is not None:
            before[0].wait()
            result = int(before[1].item())
        work = torch_dist.all_reduce(
            number, torch_dist.ReduceOp.MAX, group=self._group, async_op=True
        )
        self._vote = (work, number)
        if wait:
            work.wait()
            self._vote = None
            result = max(result, int(number.item()))
        return result

    def _stop(
        self, runner, number: int, iteration: int, batches_done: int, validated: bool = False
    ) -> None:
        saver = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
        folder = runner.work_dir if saver is None else saver.out_dir
        backend_args = None if saver is None else saver.backend_args
        path = osp.join(folder, f'iter_{iteration}.pth')
        if runner.message_hub.runtime_info.get('last_ckpt') != path:
            runner.message_hub.update_info('last_ckpt', path)
            meta = dict(
                epoch=runner.epoch,
                iter=iteration,
                batches_done=batches_done,
                validated=validated,
                interim=path,
            )
            runner.save_checkpoint(
                folder, osp.basename(path), meta=meta, by_epoch=False, backend_args=backend_args
            )
            if is_main_process():
                put_text(path, osp.join(runner.work_dir, 'last_checkpoint'))
            # That of a stop before, if no other checkpoint came between.
            self._remove_outdated(runner)
        if self._group is not None:
            torch_dist.barrier(self._group)  # until all have saved
        STOP_SIGNALS.ignore()
        if self._group is not None:
            # A launcher signals the others as soon as one of them has ended.
            torch_dist.barrier(self._group)
        runner.logger.info(f'Stopped by a signal; {path} is saved. Go on with --resume.')
        if runner.launcher in ('slurm', 'mpi') and self._group is not None:
            # srun and mpirun kill the others then, and report that: leave at once.
            logging.shutdown()
            os._exit(exit_status(number))
        raise SystemExit(exit_status(number))

    def _remove_outdated(self, runner) -> None:
        if self.interim and runner.message_hub.runtime_info.get('last_ckpt') != self.interim:
            if is_main_process() and osp.isfile(self.interim):
                remove(self.interim)
            self.interim = None


def _validation_is_due(runner) -> bool:
    """Whether MMEngine's loop validates after the epoch or the iteration that is done."""
    loop = runner.train_loop
    if runner.val_loop is None or not hasattr(loop, 'dynamic_intervals'):
        return False
    if hasattr(loop, 'dataloader_iterator'):
        done, last = loop.iter, loop.max_iters
    else:
        done, last = loop.epoch, loop.max_epochs
    interval = loop.dynamic_intervals[bisect.bisect(loop.dynamic_milestones, done + 1) - 1]
    return done > 0 and done >= loop.val_begin and (done % interval == 0 or done == last)
