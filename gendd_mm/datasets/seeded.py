"""Random numbers that follow from whole numbers alone, for as long as a block runs."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ['seeded']


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed Python, numpy and torch (CPU) by some numbers, and restore all three at the end.

    Args:
        numbers: At least 0 each. Other numbers, or another order, give another stream.

    Example:
        >>> with seeded(0, 5):
        ...     first = torch.rand(3), np.random.rand(), random.random()
        >>> with seeded(0, 5):
        ...     again = torch.rand(3), np.random.rand(), random.random()
        >>> first[0].equal(again[0]), first[1:] == again[1:]
        (True, True)
    """
    python, array, tensor = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(numbers).generate_state(3)
    try:
        random.seed(int(words[0]))
        np.random.seed(int(words[1]))
        # Not torch.manual_seed, which would also seed the GPUs.
        torch.default_generator.manual_seed(int(words[2]))
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        torch.set_rng_state(tensor)
