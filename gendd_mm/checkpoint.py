"""Read weights with torch's protection on, and load all of them."""

import glob
import os.path as osp
from collections.abc import Sequence

from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from gendd_mm.checkpoint_faults import nonfinite, some
from gendd_mm.protected_load import protected_load

__all__ = ['load_all', 'nonfinite', 'read_state_dict', 'the_one_file']


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
        ValueError: If a ``*`` fits several files, or the file has no weights, or has
            objects that ``weights_only`` refuses.
    """
    local = '://' not in path
    if local:
        path = the_one_file(path)
    if local and not osp.isfile(osp.expanduser(path)):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist; give the path of a weights '
            'file or train it first.'
        )
    if local:
        checkpoint = protected_load(osp.expanduser(path), 'cpu')
    else:
        checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = next((checkpoint[name] for name in names if name in checkpoint), checkpoint)
    if not isinstance(weights, dict) or not any(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise ValueError(
            f'checkpoint {path!r} holds no weights, neither at its top level nor under '
            f'{" or ".join(names)}; give the file of a trained network.'
        )
    return weights


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
