"""Read weights with torch's protection on, and load all of them."""

import glob
import hashlib
import os
import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from gendd_mm.checkpoint_faults import nonfinite, resume_faults, some, weight_faults
from gendd_mm.protected_load import protected_load

__all__ = [
    'check_checkpoint',
    'fingerprint',
    'load_all',
    'local_file',
    'nonfinite',
    'read_checkpoint',
    'read_state_dict',
    'the_one_file',
    'with_prefix',
]


def read_state_dict(path: str, names: Sequence[str] = ('state_dict',)) -> dict[str, Tensor]:
    """The weights of a checkpoint, on the CPU.

    Reads a local file or anything that mmengine's ``CheckpointLoader`` knows
    (``https://``, ``torchvision://`` ...). Only tensors and the types that mmengine
    writes are unpickled.

    Args:
        path: Path of the checkpoint; its weights are the whole object, or under one of
            ``names``. A ``*`` in it stands for the one file that is there, such as
            ``best_*.pth`` of MMEngine's ``save_best``.
        names: Possible keys of the weights; the first that exists is used.

    Raises:
        FileNotFoundError: If a local file does not exist.
        ValueError: If a ``*`` fits several files, or the file has no weights, or some that
            are not finite, or is damaged, or has objects that ``weights_only`` refuses.
    """
    checkpoint = read_checkpoint(path)
    weights = _weights_in(checkpoint, names)
    faults = ['holds no weights'] if weights is None else weight_faults(weights)
    if weights is None or 'holds no weights' in faults:
        raise ValueError(
            f'checkpoint {path!r} holds no weights, neither at its top level nor under '
            f'{" or ".join(names)}; give the file of a trained network.'
        )
    if faults:
        raise ValueError(f'checkpoint {path!r} {"; ".join(faults)}. Give a good one.')
    return weights


def read_checkpoint(path: str, mmap: bool = False) -> Any:
    """The whole object in a checkpoint, on the CPU.

    Args:
        path: As in :func:`read_state_dict`.
        mmap: Whether the tensors of a local file stay in it until they are used.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or ``weights_only`` refuses it.
    """
    if '://' in path:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu')
    return protected_load(local_file(path), 'cpu', mmap=mmap)


def check_checkpoint(path: str, resumable: bool) -> None:
    """Refuse a local checkpoint that is no good, before anything is built.

    Args:
        path: As in :func:`read_state_dict`.
        resumable: Whether a run must be able to go on from it; otherwise weights do.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or something in it is missing or not finite; it
            lists all of that.
    """
    checkpoint = read_checkpoint(path, mmap=True)
    if resumable:
        faults, remedy = resume_faults(checkpoint), 'To start from its weights use load_from.'
    else:
        weights = _weights_in(checkpoint, ('state_dict',))
        faults = ['holds no weights'] if weights is None else weight_faults(weights)
        remedy = 'Give the file of a trained network.'
    if faults:
        raise ValueError(f'checkpoint {path!r} {"; ".join(faults)}. {remedy}')


def _weights_in(checkpoint: Any, names: Sequence[str]) -> dict | None:
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = next((checkpoint[name] for name in names if name in checkpoint), checkpoint)
    return weights if isinstance(weights, dict) else None


def local_file(path: str) -> str:
    """The path of a local checkpoint, with its ``~`` and its ``*`` resolved.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a ``*`` fits several files.
    """
    found = osp.expanduser(the_one_file(path)) if '\0' not in path else path
    if '\0' in path or not osp.isfile(found):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist (from {os.getcwd()}); give the path of a '
            'weights file or train it first.'
        )
    return found


def the_one_file(path: str) -> str:
    """The file that a path with a ``*`` in its name stands for.

    Returns:
        The path as it is, if it has no ``*`` or no file fits.

    Raises:
        ValueError: If several files fit.
    """
    folder, name = osp.split(osp.expanduser(path))
    if '*' not in name or osp.isfile(osp.join(folder, name)):
        return path
    # Brackets of a folder are a part of its name, and so are those of the file.
    pattern = '*'.join(glob.escape(part) for part in name.split('*'))
    found = sorted(glob.glob(osp.join(glob.escape(folder), pattern)))
    if len(found) > 1:
        raise ValueError(
            f'{path!r} fits {len(found)} files, {found}; name the one, or remove the others.'
        )
    return found[0] if found else path


def load_all(module: nn.Module, weights: dict[str, Tensor]) -> str:
    """Load weights that must fit a module key by key.

    Returns:
        What does not fit: missing keys, unexpected keys and shapes. Empty if everything
        fits.
    """
    own = module.state_dict()
    try:
        # A model may rename old keys while loading, so the model decides.
        result = module.load_state_dict(weights, strict=False)
        missing, unexpected = result.missing_keys, result.unexpected_keys
        differing = []
    except RuntimeError:
        missing = [key for key in own if key not in weights]
        unexpected = [key for key in weights if key not in own]
        differing = [
            f'{key} {_shape(weights[key])} instead of {_shape(own[key])}'
            for key in own
            if key in weights and _shape(weights[key]) != _shape(own[key])
        ]
    if not (missing or unexpected or differing):
        return ''
    return (
        f'missing keys {some(missing)}, unexpected keys '
        f'{some(unexpected)}, shapes {some(differing)}'
    )


def _shape(value: object) -> tuple | str:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def with_prefix(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Weights under the names of a model that wraps the network they belong to.

    Args:
        weights: Weights of the model, or of a module in it.
        model: The model.

    Returns:
        The weights as they are, or with the name of the module that makes the most of
        them the model's, so that a check names the few that are not.
    """
    own = model.state_dict()

    def fitting(name: str) -> int:
        return sum(f'{name}.{key}' in own for key in weights)

    best = max((name for name, _ in model.named_modules() if name), key=fitting, default='')
    if not best or fitting(best) <= sum(key in own for key in weights):
        return weights
    return {f'{best}.{key}': value for key, value in weights.items()}


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors: their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        flat = value.detach().cpu().contiguous().flatten()
        # As bytes, for numpy has no bfloat16.
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
