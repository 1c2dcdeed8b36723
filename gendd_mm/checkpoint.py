"""Reading weights from files, with torch's protection on and clear errors."""
import os.path as osp
import pickle
from typing import Dict

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor


def read_state_dict(path: str) -> Dict[str, Tensor]:
    """The weights of a checkpoint, on the CPU.

    Takes a local file or anything that mmengine's ``CheckpointLoader`` knows
    (``https://``, ``torchvision://`` ...). Only tensors and the types that
    mmengine writes are unpickled.

    Args:
        path: Where the checkpoint is; its weights are the whole object, or
            under ``'state_dict'``.

    Raises:
        FileNotFoundError: If a local file does not exist.
        ValueError: If the file holds no weights, or objects that
            ``weights_only`` refuses.
    """
    local = '://' not in path
    if local and not osp.isfile(osp.expanduser(path)):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist; give the path of a weights '
            'file or train it first.')
    try:
        if local:
            checkpoint = torch.load(
                osp.expanduser(path), map_location='cpu', weights_only=True)
        else:
            checkpoint = CheckpointLoader.load_checkpoint(
                path, map_location='cpu')
    except pickle.UnpicklingError as error:
        # Its unpickler says the same of a web page and of a dangerous object.
        raise ValueError(
            f'checkpoint {path!r} is refused by torch (weights_only): either '
            'it is no torch file or damaged, or it holds objects other than '
            'weights, which could run code while loading. Get it anew, or '
            'convert it to a plain state dict where you trust it.') from error
    except (RuntimeError, EOFError, LookupError, ValueError, TypeError,
            AttributeError) as error:
        # A file of other bytes makes the unpickler stumble in many ways.
        raise ValueError(f'checkpoint {path!r} is not a torch file or is '
                         f'damaged: {error!r}') from error
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, dict) or not any(
            isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f'checkpoint {path!r} holds no weights, neither at '
                         'its top level nor under "state_dict".')
    return weights
