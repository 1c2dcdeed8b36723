"""Begin inside an epoch, without loading the batches before."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader, IterableDataset


def rest_of_epoch(loader: DataLoader, first: int) -> DataLoader:
    """A copy of a loader whose next epoch begins at batch ``first``.

    It has the dataset, the sampler and the length of the whole one. The indices of the
    batches before are drawn, their samples are not loaded. From a dataset without
    indices (``IterableDataset``) they are loaded and dropped.

    Args:
        loader: Loader of whole epochs; it is not changed.
        first: Batches to leave out, from 0 to the length of an epoch.
    """
    rest = copy.copy(loader)
    indexed = loader.batch_sampler is not None and not isinstance(loader.dataset, IterableDataset)
    if not indexed:
        return _Dropping(loader, first)  # type: ignore[return-value]
    # DataLoader refuses to have these set once it is built; a copy is another loader.
    vars(rest).update(
        batch_sampler=_Rest(loader.batch_sampler, first),
        persistent_workers=False,
        # A loader draws a number of the global generator when it begins. The unbroken
        # run drew that one at the start of the epoch, not before this batch.
        generator=torch.Generator().manual_seed(torch.initial_seed()),
    )
    return rest


def endless_batches(loader: DataLoader, first: int) -> Iterator:
    """The batches of MMEngine's iteration-based loop, from batch ``first`` on.

    With ``InfiniteSampler``, or views drawn by it, they are one endless epoch. Otherwise each
    epoch has its number told to the sampler.
    """
    # Of any kind; torch declares no more than that they can be iterated over.
    sampler: Any = loader.sampler
    batch_sampler: Any = copy.copy(loader.batch_sampler)
    fresh: Any = None
    # The indices are drawn from a generator that workers may have begun to read.
    if type(sampler) is InfiniteSampler:
        fresh = InfiniteSampler(sampler.dataset, sampler.shuffle, sampler.seed)
    elif getattr(sampler, 'is_endless', False):  # ViewSampler
        fresh = sampler.restarted()
    if fresh is not None:
        batch_sampler.sampler = fresh
        endless = copy.copy(loader)
        vars(endless).update(batch_sampler=batch_sampler, sampler=fresh)
        yield from rest_of_epoch(endless, first)
    epoch, first = divmod(first, len(loader))
    while True:
        part: Any
        for part in (sampler, getattr(batch_sampler, 'sampler', None)):
            if hasattr(part, 'set_epoch'):
                part.set_epoch(epoch)
                break
        yield from rest_of_epoch(loader, first) if first else loader
        epoch, first = epoch + 1, 0


class _Rest:
    """The batches of a batch sampler without the first ones; as long as the whole."""

    def __init__(self, batch_sampler, first: int) -> None:
        self.batch_sampler = batch_sampler
        self.first = first

    def __iter__(self) -> Iterator[list[int]]:
        return itertools.islice(iter(self.batch_sampler), self.first, None)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __getattr__(self, name: str):
        # Hooks set the epoch of its sampler. (A copy has no attributes at first.)
        if name == 'batch_sampler':
            raise AttributeError(name)
        return getattr(self.batch_sampler, name)


class _Dropping:
    """Load and drop the first batches of an epoch."""

    def __init__(self, loader: DataLoader, first: int) -> None:
        self.loader = loader
        self.first = first

    def __iter__(self) -> Iterator:
        return itertools.islice(iter(self.loader), self.first, None)

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str):
        if name == 'loader':
            raise AttributeError(name)
        return getattr(self.loader, name)
