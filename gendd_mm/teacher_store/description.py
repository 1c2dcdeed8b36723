"""What a store states of itself: whose features of which images, and where they lie."""

import json
import math
import os
import os.path as osp
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch

__all__ = ['DTYPES', 'PIXELS', 'Description', 'Part', 'Shard', 'StoreError', 'read_description']

FILE = 'store.json'
CLASSIFIER = 'classifier.safetensors'
FORMAT = 'gendd_mm teacher store'
VERSION = 1
# The views themselves in a shard, beside the features. No feature has a name with a slash.
PIXELS = 'view/pixels'
DTYPES = {name: getattr(torch, name) for name in ('float32', 'float16', 'bfloat16')}


class StoreError(ValueError):
    """What is wrong with a store, or with a run that reads it."""


class Shard(NamedTuple):
    """The rows of one file: one view of the images ``first`` to before ``last``."""

    part: str
    view: int
    number: int
    first: int
    last: int

    @property
    def path(self) -> str:
        """Its place in the store."""
        return f'{self.part}/view_{self.view:03d}/{self.number:05d}.safetensors'


@dataclass(frozen=True)
class Part:
    """The images of one dataset of a config.

    Attributes:
        num_images: How many.
        num_views: Views of each.
        seed: From which the views follow.
        images: Hash of the list of images, see :func:`gendd_mm.datasets.image_list_hash`.
        pipeline: Its transforms, as text.
        mixing: Augmentations of a batch that are a part of the view, as text, or None.
        pixels: Shape [C, H, W] of the views, if they are stored too, as levels of 8 bits.
    """

    num_images: int
    num_views: int
    seed: int
    images: str
    pipeline: list[str]
    mixing: str | None
    pixels: list[int] | None = None


@dataclass(frozen=True)
class Description:
    """The content of ``store.json``.

    Attributes:
        teacher: Hash of the teacher's weights (:func:`gendd_mm.checkpoint.fingerprint`).
        teacher_type: Its class.
        precision: In which the teacher ran, ``'float32'`` or that of ``teacher_dtype``.
        normalization: That of the images the teacher saw, as text, where it is the run's and
            not its own; otherwise None.
        classifier: Name of the linear layer that gives its scores; its weights are in
            ``classifier.safetensors``. None if it has none.
        features: Size D of each feature by name. What enters a classifier is ``target``.
        dtype: Of the stored features: ``'float32'``, ``'float16'`` or ``'bfloat16'``.
        rows_per_shard: Images of a shard.
        parts: The datasets, by name: ``'train'``, and for teachers without a classifier
            ``'val'`` and ``'test'``.
        versions: Of the libraries that made the views.
    """

    teacher: str
    teacher_type: str
    precision: str
    normalization: str | None
    classifier: str | None
    features: dict[str, int]
    dtype: str
    rows_per_shard: int
    parts: dict[str, Part]
    versions: dict[str, str]

    @property
    def num_bytes(self) -> int:
        """Size of all rows on the disk."""
        return sum(
            part.num_images * part.num_views * self.row_bytes(name)
            for name, part in self.parts.items()
        )

    def row_bytes(self, part: str) -> int:
        """Size of the features, and of the pixels if stored, of one view of an image."""
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in self.row(part).values())

    def row(self, part: str) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape and type of what a dataset has for one view of an image, by name."""
        row: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            name: ((size,), DTYPES[self.dtype]) for name, size in self.features.items()
        }
        pixels = self.parts[part].pixels
        return row if pixels is None else {**row, PIXELS: (tuple(pixels), torch.uint8)}

    def shards(self) -> Iterator[Shard]:
        """All shards, in the order in which they are built."""
        size = self.rows_per_shard
        for name, part in self.parts.items():
            for view in range(part.num_views):
                for number, first in enumerate(range(0, part.num_images, size)):
                    yield Shard(name, view, number, first, min(first + size, part.num_images))

    def as_json(self) -> str:
        """The content of ``store.json``."""
        return json.dumps(dict(format=FORMAT, version=VERSION, **asdict(self)), indent=2) + '\n'


def read_description(store: str) -> Description:
    """Read ``store.json``.

    Args:
        store: Folder of the store.

    Raises:
        StoreError: If there is no store, or its description is not one of ours.
    """
    path = osp.join(store, FILE)
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        what = 'is no store: it has no store.json' if osp.isdir(store) else 'does not exist'
        raise StoreError(
            f'store={store!r} {what} (from {os.getcwd()}); give the folder that '
            'gendd-store-teacher has written.'
        ) from None
    except ValueError as error:
        raise StoreError(f'{path} is damaged ({error}); build the store again.') from error
    return _parsed(content, path)


def _parsed(content: Any, path: str) -> Description:
    if not isinstance(content, dict) or content.pop('format', None) != FORMAT:
        raise StoreError(f'{path} is of no teacher store; give the folder of one.')
    version = content.pop('version', None)
    if version != VERSION:
        raise StoreError(
            f'{path} is of version {version}, but this gendd_mm reads version {VERSION}; build '
            'the store again, or take the gendd_mm that wrote it.'
        )
    try:
        parts = {name: Part(**part) for name, part in content.pop('parts').items()}
        description = Description(parts=parts, **content)
        if description.dtype not in DTYPES or description.num_bytes < 0:
            raise ValueError(f'dtype={description.dtype!r}')
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f'{path} is damaged ({error}); build the store again.') from error
    return description
