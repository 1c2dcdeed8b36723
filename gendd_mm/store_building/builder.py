"""Run a teacher over all views of the images of a config, once, and store its features.

Any number of processes, of one machine or several, build one store: each takes the
shards that no other has. A shard appears whole or not at all.
"""

import logging
import os
import os.path as osp
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from filelock import FileLock, Timeout
from mmengine.dataset import default_collate
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gendd_mm.datasets import AugmentedViews
from gendd_mm.engine.atomic_backend import AtomicBackend
from gendd_mm.models.algorithms.frozen_teacher import FrozenTeacher
from gendd_mm.teacher_store import (
    PIXELS,
    Description,
    Shard,
    StoreError,
    as_stored,
    read_shard,
    shard_bytes,
)

__all__ = ['LOCKS', 'StoreBuilder', 'locked']

LOCKS = '.locks'
# Seconds between looks at the shards that others build.
_PATIENCE = 0.5


@dataclass
class StoreBuilder:
    """What a process needs to build shards of a store.

    Attributes:
        store: Folder of the store, with its description.
        description: Of the store.
        datasets: The views of each part.
        preprocessor: Of the run: what a batch becomes before the teacher sees it.
        teacher: The teacher, on the device of the preprocessor.
        batch_size: Images that the teacher sees at once.
        num_workers: Processes that load images.
    """

    store: str
    description: Description
    datasets: dict[str, AugmentedViews]
    preprocessor: nn.Module
    teacher: FrozenTeacher
    batch_size: int
    num_workers: int

    def build(self, rank: int, world_size: int, on_rows: Callable[[int], None]) -> int:
        """Build shards until all are there, by this process or by others.

        Args:
            rank: Which of the processes started together this is. It begins with every
                ``world_size``-th shard, and builds damaged ones of these anew.
            world_size: How many these are.
            on_rows: Called with the number of rows that are done besides.

        Returns:
            How many shards this process has built.
        """
        shards = list(self.description.shards())
        own = shards[rank::world_size]
        for shard in own:
            self._drop_if_damaged(shard)
        waiting = [*own, *sorted({*shards} - {*own})]
        built = 0
        while waiting:
            before = len(waiting)
            for shard in list(waiting):
                if not self._is_there(shard):
                    with locked(self.store, shard.path, wait=False) as mine:
                        if not mine:
                            continue  # another process builds it
                        if not self._is_there(shard):
                            self._write(shard, on_rows)
                            waiting.remove(shard)
                            built += 1
                            continue
                waiting.remove(shard)
                on_rows(shard.last - shard.first)
            if len(waiting) == before:
                time.sleep(_PATIENCE)
        with suppress(OSError):
            shutil.rmtree(osp.join(self.store, LOCKS))
        return built

    def verify(self, on_rows: Callable[[int], None]) -> list[str]:
        """What is wrong with the shards of the store, a line each."""
        faults = []
        for shard in self.description.shards():
            try:
                read_shard(self.store, shard, self.description, verify=True)
            except StoreError as error:
                faults.append(str(error))
            on_rows(shard.last - shard.first)
        return faults

    def bytes_left(self) -> int:
        """Size of the shards that are not there yet."""
        return sum(
            (each.last - each.first) * self.description.row_bytes(each.part)
            for each in self.description.shards()
            if not self._is_there(each)
        )

    def _is_there(self, shard: Shard) -> bool:
        return osp.isfile(osp.join(self.store, shard.path))

    def _drop_if_damaged(self, shard: Shard) -> None:
        try:
            read_shard(self.store, shard, self.description, verify=True)
        except StoreError as error:
            if self._is_there(shard):
                print_log(f'{error} It is built anew.', logger='current', level=logging.WARNING)
                os.remove(osp.join(self.store, shard.path))

    @torch.no_grad()
    def _write(self, shard: Shard, on_rows: Callable[[int], None]) -> None:
        views: Any = self.datasets[shard.part]
        first = shard.view * len(views)
        loader: DataLoader = DataLoader(
            views,
            batch_size=self.batch_size,
            sampler=range(first + shard.first, first + shard.last),
            num_workers=self.num_workers,
            collate_fn=default_collate,
        )
        parts: dict[str, list[Tensor]] = {}
        stores_pixels = self.description.parts[shard.part].pixels is not None
        for batch in loader:
            if stores_pixels:
                parts.setdefault(PIXELS, []).append(batch['inputs'].clone())
            inputs = self.preprocessor(batch, False)['inputs']
            for name, value in self.teacher.features(inputs).items():
                parts.setdefault(name, []).append(as_stored(value, self.description.dtype))
            on_rows(len(inputs))
        content = shard_bytes({name: torch.cat(values) for name, values in parts.items()})
        AtomicBackend().put(content, osp.join(self.store, shard.path))


@contextmanager
def locked(store: str, name: str, wait: bool) -> Iterator[bool]:
    """Hold a lock of a store, which the system takes from a process that dies.

    Yields:
        False if another process holds it, and it is not waited for.
    """
    folder = osp.join(store, LOCKS)
    lock = FileLock(osp.join(folder, name.replace('/', '-')), fallback_to_soft=False)
    while True:
        try:
            os.makedirs(folder, exist_ok=True)
            lock.acquire(blocking=wait)
        except Timeout:
            yield False
            return
        except FileNotFoundError:  # another process has just finished the store
            continue
        break
    try:
        yield True
    finally:
        lock.release()
