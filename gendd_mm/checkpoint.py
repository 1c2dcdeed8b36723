"""Reading weights with torch's protection on, and loading all of them."""

import os.path as osp
import pickle
from collections.abc import Sequence

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn


def read_state_dict(path: str, names: Sequence[str] = ('state_dict',)) -> dict[str, Tensor]:
    """The weights of a checkpoint, on the CPU.

    Takes a local file or anything that mmengine's ``CheckpointLoader`` knows
    (``https://``, ``torchvision://`` ...). Only tensors and the types that
    mmengine writes are unpickled.

    Args:
        path: Where the checkpoint is; its weights are the whole object, or
            under one of ``names``.
        names: In order; the first that is there counts.

    Raises:
        FileNotFoundError: If a local file does not exist.
        ValueError: If the file holds no weights, or objects that
            ``weights_only`` refuses.
    """
    local = '://' not in path
    if local and not osp.isfile(osp.expanduser(path)):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist; give the path of a weights '
            'file or train it first.'
        )
    try:
        if local:
            checkpoint = torch.load(osp.expanduser(path), map_location='cpu', weights_only=True)
        else:
            checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    except pickle.UnpicklingError as error:
        # Its unpickler says the same of a web page and of a dangerous object.
        raise ValueError(
            f'checkpoint {path!r} is refused by torch (weights_only): either '
            'it is no torch file or damaged, or it holds objects other than '
            'weights, which could run code while loading. Get it anew, or '
            'convert it to a plain state dict where you trust it.'
        ) from error
    except (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        # A file of other bytes makes the unpickler stumble in many ways.
        raise ValueError(
            f'checkpoint {path!r} is not a torch file or is damaged: {error!r}'
        ) from error
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = next((checkpoint[name] for name in names if name in checkpoint), checkpoint)
    if not isinstance(weights, dict) or not any(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise ValueError(
            f'checkpoint {path!r} holds no weights, neither at '
            f'its top level nor under {" or ".join(names)}.'
        )
    return weights


def load_all(module: nn.Module, weights: dict[str, Tensor]) -> str:
    """Load weights that must fit a module key by key.

    Returns:
        What does not fit: missing and unexpected keys, shapes. Empty if
        everything does.
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
            f'{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}'
            for key in own
            if key in weights and getattr(weights[key], 'shape', None) != own[key].shape
        ]
    if not (missing or unexpected or differing):
        return ''
    return (
        f'missing keys {_some(missing)}, unexpected keys '
        f'{_some(unexpected)}, shapes {_some(differing)}'
    )


def _some(names: list, most: int = 20) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return f'{names[:most]}{more}'
