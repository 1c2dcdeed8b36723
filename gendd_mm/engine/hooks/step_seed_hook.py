"""Random numbers as a function of seed, rank and iteration."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from gendd_mm.engine.batches import endless_batches
from gendd_mm.registry import HOOKS

# What random numbers are for: the first two of an iteration, the last of a run.
AUGMENTATION, STEP, WEIGHTS = 0, 1, 2


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Reseed the global generators at every iteration.

    The first weights follow from the seed alone, and are the same with another teacher.
    The draws of an iteration follow from (seed, rank, iteration) alone: resuming
    from a checkpoint repeats them without a saved generator state, whatever validation
    drew in between, and every rank draws its own noise (under MMEngine's default all
    ranks share one seed).

    Resuming is bit for bit. An iteration-based loop begins at its batch without loading
    those before; ``PreemptionHook`` begins inside an epoch. With ``num_workers=0`` augmentation
    draws from these generators too; worker processes are seeded by MMEngine.

    Args:
        seed: Base seed. None takes the runner's. Defaults to None.
    """

    # After the other hooks of an iteration, just before the step.
    priority = 'VERY_LOW'

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_run(self, runner) -> None:
        """Take the runner's seed unless one was given, and seed the first weights."""
        if self.seed is None:
            self.seed = runner.seed
        # Whatever building the model has drawn, such as the weights of a teacher.
        self._seed_all(0, 0, WEIGHTS)

    def before_train_epoch(self, runner) -> None:
        """Seed what is drawn while the first batch is loaded."""
        self._reseed(runner.iter, AUGMENTATION)
        loop = getattr(runner, 'train_loop', None)
        if loop is not None and hasattr(loop, 'dataloader_iterator'):  # iteration-based
            batches = loop.dataloader_iterator
            if runner.iter > 0:
                batches = endless_batches(loop.dataloader, runner.iter)
            loop.dataloader_iterator = SeededBatches(
                batches, lambda iteration: self._reseed(iteration, AUGMENTATION), runner.iter
            )

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed the forward pass: batch augmentation, noise, dropout."""
        self._reseed(runner.iter, STEP)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Seed what is drawn while the next batch is loaded."""
        self._reseed(runner.iter + 1, AUGMENTATION)

    def _reseed(self, iteration: int, purpose: int) -> None:
        self._seed_all(get_rank(), iteration, purpose)

    def _seed_all(self, rank: int, iteration: int, purpose: int) -> None:
        numbers: list[Any] = [self.seed, rank, iteration, purpose]
        words = np.random.SeedSequence(numbers).generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(int(words[1]))
        if torch.cuda.is_available():
            torch.manual_seed(int(words[2]))
        else:  # a millisecond less: torch would note the call for GPUs to come
            torch.default_generator.manual_seed(int(words[2]))


class SeededBatches:
    """Seed the loading of each batch; those before a resumed iteration are not loaded.

    Args:
        batches: The batches of an iteration-based loop from iteration ``first`` on.
        reseed: Seeds the loading of the batch of an iteration.
        first: The loop asks for so many batches only to drop them: it gets None.
    """

    def __init__(self, batches: Any, reseed: Callable[[int], None], first: int = 0) -> None:
        self.batches = batches
        self.reseed = reseed
        self.first = first
        self.iteration = 0

    def __iter__(self) -> 'SeededBatches':
        return self

    def __next__(self) -> Any:
        self.iteration += 1
        if self.iteration <= self.first:
            return None
        self.reseed(self.iteration - 1)
        return next(self.batches)

    def skip_iter(self, num_iters: int) -> None:
        """What the OneDL fork calls instead of asking for batches."""
        self.iteration += num_iters
