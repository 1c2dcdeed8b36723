"""One file of features: safetensors, with a checksum of its own."""

import json
import os.path as osp
from collections.abc import Mapping

import torch
from torch import Tensor

from gendd_mm.checkpoint import fingerprint

from .description import DTYPES, Description, Shard, StoreError

__all__ = ['read_shard', 'shard_bytes']

_REMEDY = 'Run gendd-store-teacher again: it builds what is missing or damaged.'


def shard_bytes(features: Mapping[str, Tensor]) -> bytes:
    """The content of a shard; the same features give the same bytes.

    Args:
        features: By name, each (rows, D), of the type that is stored; pixels as
            ``PIXELS``, (rows, C, H, W) in uint8.
    """
    from safetensors.torch import save

    # A single entry: safetensors writes several in any order.
    checksum = json.dumps(dict(sha256=fingerprint(features)))
    tensors = {name: value.contiguous() for name, value in features.items()}
    return save(tensors, dict(store=checksum))


def read_shard(
    store: str, shard: Shard, description: Description, verify: bool
) -> dict[str, Tensor]:
    """The features of a shard by name, each (rows, D), and the pixels of its views if stored.

    They stay in the file until used.

    Args:
        store: Folder of the store.
        shard: Which one.
        description: Of the store.
        verify: Whether to read all of it now and compare its checksum.

    Raises:
        StoreError: If it is missing, truncated, damaged or of another shape.
    """
    from safetensors import SafetensorError, safe_open

    path = osp.join(store, shard.path)
    row = description.row(shard.part)
    if not osp.isfile(path):
        raise StoreError(
            f'{path} is missing: the store is half built, or was not copied whole. {_REMEDY}'
        )
    try:
        with safe_open(path, 'pt') as file:
            checksum = json.loads((file.metadata() or {}).get('store', '{}')).get('sha256')
            features = {name: file.get_tensor(name) for name in row}
    except (OSError, SafetensorError, ValueError) as error:
        raise StoreError(f'{path} is truncated or damaged ({error}). {_REMEDY}') from None
    rows = shard.last - shard.first
    expected = {name: ((rows, *shape), dtype) for name, (shape, dtype) in row.items()}
    found = {name: (tuple(value.shape), value.dtype) for name, value in features.items()}
    if found != expected:
        raise StoreError(
            f'{path} holds {_described(found)}, but the store states {_described(expected)}. '
            f'{_REMEDY}'
        )
    if verify and checksum != fingerprint(features):
        raise StoreError(f'{path} is damaged: its checksum is wrong. {_REMEDY}')
    return features


def _described(row: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> str:
    return ', '.join(
        f'{name} {shape} {str(dtype).removeprefix("torch.")}'
        for name, (shape, dtype) in row.items()
    )


def as_stored(feature: Tensor, dtype: str) -> Tensor:
    """Features in the type of the store, on the CPU.

    Raises:
        StoreError: If one is not finite, before or after.
    """
    stored = feature.detach().to('cpu', DTYPES[dtype])
    if torch.isfinite(stored).all():
        return stored
    if torch.isfinite(feature).all():
        raise StoreError(
            f'a feature of {feature.abs().max().item():.3g} does not fit into {dtype}; store '
            'bfloat16 or float32.'
        )
    raise StoreError('the teacher gives features that are not finite; check its weights.')
