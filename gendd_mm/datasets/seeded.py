"""Random numbers that follow from whole numbers alone, for as long as a block runs."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ['generators_kept', 'seed_all', 'seeded']


@contextmanager
def generators_kept() -> Iterator[None]:
    """Restore the global generators of Python, numpy and torch (CPU) at the end of a block."""
    python, array, tensor = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        torch.set_rng_state(tensor)


def seed_all(*numbers: int) -> None:
    """Seed the global generators of Python, numpy and torch (CPU).

    Args:
        numbers: At least 0 each. Other numbers, or another order, give another stream.
    """
    words = np.random.SeedSequence(numbers).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    # Not torch.manual_seed, which would also seed the GPUs.
    torch.default_generator.manual_seed(int(words[2]))


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed Python, numpy and torch (CPU) by some numbers, and restore all three at the end.

    Args:
        numbers: As of :func:`seed_all`.

    Example:
        >>> with seeded(0, 5):
        ...     first = torch.rand(3), np.random.rand(), random.random()
        >>> with seeded(0, 5):
        ...     again = torch.rand(3), np.random.rand(), random.random()
        >>> first[0].equal(again[0]), first[1:] == again[1:]
        (True, True)
    """
    with generators_kept():
        seed_all(*numbers)
        yield
