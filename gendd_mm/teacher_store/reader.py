"""Rows of a store, by image and view."""

import os.path as osp
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gendd_mm.checkpoint import read_state_dict

from .description import CLASSIFIER, PIXELS, Shard, StoreError, read_description
from .shards import read_shard

__all__ = ['TeacherStore']

# Open files, which are memory maps: for the largest sets, all of a view.
_OPEN = 512


class TeacherStore:
    """Reads the features of a teacher that ``tools/store_teacher.py`` has stored.

    Opening looks whether every shard is there and whole by its size. A shard is read and
    its checksum compared once in each process, when its first row is asked for; after that
    the operating system keeps what it has memory for.

    Args:
        path: Folder of the store.

    Raises:
        StoreError: If it does not exist, or a shard is missing or truncated.

    Attributes:
        description: What the store states of itself.
    """

    def __init__(self, path: str) -> None:
        self.path = osp.abspath(osp.expanduser(path))
        self.description = read_description(self.path)
        self._check_complete()
        self._verified: set[Shard] = set()
        self._forget()

    def _check_complete(self) -> None:
        shards = list(self.description.shards())
        missing = [each for each in shards if not osp.isfile(osp.join(self.path, each.path))]
        if missing:
            raise StoreError(
                f'store={self.path!r} is half built, or was not copied whole: {len(missing)} of '
                f'{len(shards)} shards are missing, the first {missing[0].path}. Go on with '
                'gendd-store-teacher, which builds these alone.'
            )
        for shard in shards:
            read_shard(self.path, shard, self.description, verify=False)

    def _forget(self) -> None:
        self._features = lru_cache(_OPEN)(self._read)

    def _read(self, shard: Shard) -> dict[str, Tensor]:
        features = read_shard(self.path, shard, self.description, shard not in self._verified)
        self._verified.add(shard)
        return features

    def features(self, part: str, image: int, view: int) -> dict[str, Tensor]:
        """The features of one view of an image.

        Args:
            part: Name of the dataset.
            image: Index in it.
            view: From 0 to before ``num_views``.

        Returns:
            Copies in float32 by name, each (D,).

        Raises:
            StoreError: If the shard is damaged.
            IndexError: If there is no such row.
        """
        rows = self.rows(part, [(image, view)])
        return {name: rows[name][0] for name in self.description.features}

    def rows(self, part: str, views: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """The features of several views, read together, and their pixels if stored.

        Args:
            part: Name of the dataset.
            views: Image and view of each.

        Returns:
            Copies of the features in float32 by name, each (B, D), and under ``PIXELS`` the
            pixel levels (B, C, H, W) in uint8 if the store has them.

        Raises:
            StoreError: If a shard is damaged.
            IndexError: If there is no such row.
        """
        places: dict[Shard, tuple[list[int], list[int]]] = {}
        for place, (image, view) in enumerate(views):
            shard = self._shard(part, image, view)
            found, rows = places.setdefault(shard, ([], []))
            found.append(place)
            rows.append(image - shard.first)
        together = {
            name: torch.empty(len(views), *shape, dtype=dtype)
            for name, (shape, dtype) in self.description.row(part).items()
        }
        for shard, (found, rows) in places.items():
            for name, values in self._features(shard).items():
                together[name][found] = values[rows]
        return {
            name: values if name == PIXELS else values.to(torch.float32)
            for name, values in together.items()
        }

    def _shard(self, part: str, image: int, view: int) -> Shard:
        stated = self.description.parts[part]
        if not (0 <= image < stated.num_images and 0 <= view < stated.num_views):
            raise IndexError(f'{part} has no view {view} of image {image}: {stated}.')
        size = self.description.rows_per_shard
        index = image // size
        return Shard(part, view, index, index * size, min((index + 1) * size, stated.num_images))

    def classifier(self) -> tuple[Tensor, Tensor | None]:
        """Weight (C, D) and bias (C,), if it has one, of the teacher's classifier.

        Raises:
            StoreError: If the teacher has none, or its file does not fit.
        """
        name = self.description.classifier
        if name is None:
            raise StoreError(f'store={self.path!r}: its teacher has no classifier.')
        weights = read_state_dict(self.classifier_file)
        if f'{name}.weight' not in weights:
            raise StoreError(f'{self.classifier_file} lacks {name}.weight; build the store again.')
        return weights[f'{name}.weight'], weights.get(f'{name}.bias')

    @property
    def classifier_file(self) -> str:
        """The file of the classifier, with its names in the teacher."""
        return osp.join(self.path, CLASSIFIER)

    def __getstate__(self) -> dict[str, Any]:
        # A memory map is not for another process.
        return {key: value for key, value in vars(self).items() if key != '_features'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def __deepcopy__(self, memo: dict) -> 'TeacherStore':
        return self
