"""Epochs of a fixed length, whatever the size of the dataset."""

import math
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from gendd_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class FixedLengthSampler(Sampler):
    """Cut an endless sequence of shuffles into epochs of ``length`` samples.

    For schedules that count iterations, on data whose size is not known beforehand,
    such as downloaded images. No sample is drawn more than once more often than
    another. An epoch depends only on its number and the seed, so a run resumes at any
    epoch without drawing the earlier ones, which MMEngine's ``InfiniteSampler`` must
    do.

    Args:
        dataset: The dataset; not empty.
        length: Samples of an epoch over all processes, at least 1; rounded up to a
            multiple of the number of processes.
        seed: Seed of the shuffles, the same in all processes. With None they agree on a
            random one. Defaults to None.

    Raises:
        ValueError: If ``length`` is below 1 or the dataset is empty.
    """

    def __init__(self, dataset: Sized, length: int, seed: int | None = None) -> None:
        if length < 1:
            raise ValueError(f'length={length} must be at least 1: the samples of an epoch.')
        if len(dataset) == 0:
            raise ValueError(
                f'the dataset is empty, so no epoch of length={length} can be drawn; '
                'check its path.'
            )
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.num_samples = math.ceil(length / self.world_size)
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        """The indices that this process draws in the epoch."""
        size = len(self.dataset)
        total = self.num_samples * self.world_size
        first = self.epoch * total
        # Positions in the endless sequence; one shuffle fills ``size`` of them.
        places = torch.arange(first + self.rank, first + total, self.world_size)
        shuffle = places // size
        for number in range(int(shuffle[0]), int(shuffle[-1]) + 1):
            generator = torch.Generator().manual_seed(self.seed + number)
            order = torch.randperm(size, generator=generator)
            yield from order[places[shuffle == number] % size].tolist()

    def __len__(self) -> int:
        """The number of samples of this process in an epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; MMEngine's ``DistSamplerSeedHook`` calls it."""
        self.epoch = epoch
