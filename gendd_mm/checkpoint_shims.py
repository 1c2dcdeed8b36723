"""The shims of gendd_mm.compat for checkpoints: what MMEngine reads never runs code."""

import os.path as osp
import warnings
from functools import wraps
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import digit_version

from gendd_mm.protected_load import fetched, protected_load


def apply() -> None:
    """Put the shims of checkpoints in place; doing it twice changes nothing."""
    allow_mmengine_checkpoints()  # 2
    keep_weights_only_on()  # 3
    protect_all_readers()  # 8
    drop_saved_config()  # 9


# 2 -------------------------------------------------------------------------
def allow_mmengine_checkpoints() -> None:
    """Shim 2: let ``torch.load`` read what MMEngine writes, and nothing else.

    Symptom: ``Weights only load failed`` when a run is resumed
    (mmengine#1655).
    Cause: since torch 2.6, ``torch.load`` builds allow-listed types only, and
    MMEngine's message hub stores ``HistoryBuffer``s, which hold numpy arrays.
    Can go: when MMEngine allow-lists its own types.

    A ``HistoryBuffer`` is pickled with calls such as
    ``getattr(HistoryBuffer, 'mean')``. An allow-listed ``getattr`` would let a
    file run anything (by way of ``HistoryBuffer.__init__.__globals__``), so
    the file gets :func:`_history_statistic` under that name.
    """
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        warnings.warn(
            f'torch {torch.__version__} loads checkpoints without weights_only protection: a '
            'checkpoint can run any code. Load only files that you trust, or install torch>=2.6.',
            stacklevel=2,
        )
        return
    torch.serialization.add_safe_globals(_checkpoint_globals())


def _checkpoint_globals() -> list:
    """List what MMEngine stores: an object, or an object and its name in a file."""
    # What numpy pickles an array and a number with. numpy 2 moved `numpy.core`
    # to `numpy._core`: both names are allowed, so that one reads the other's files.
    rebuild: list[Any] = [value.__reduce__()[0] for value in (np.zeros(0), np.float64(0))]
    arrays = [
        (function, f'numpy.{core}.multiarray.{function.__name__}')
        for core in ('core', '_core')
        for function in rebuild
    ]
    # Histories hold float64 values and int64 counts; the best score of a run
    # is any number that a metric returned.
    dtypes = [type(np.dtype(name)) for name in ('float64', 'float32', 'int64')]
    return [
        HistoryBuffer,
        (_history_statistic, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        *dtypes,
        *arrays,
    ]


def _history_statistic(owner: type, name: str):
    """Replace ``getattr`` while a checkpoint is read."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(
            f'The checkpoint asks for getattr({owner!r}, {name!r}); only the '
            'statistics min, max, current and mean of HistoryBuffer are '
            'allowed. Get the checkpoint from a source that you trust.'
        )
    return getattr(HistoryBuffer, name)


# 3 -------------------------------------------------------------------------
def keep_weights_only_on() -> None:
    """Shim 3: no second, unprotected attempt at a file that was refused.

    Symptom: a checkpoint that ``weights_only`` refuses runs its code anyway,
    after the warning "Falling back to weights_only=False".
    Cause: ``_safe_torch_load`` of onedl-mmengine 0.10 catches the refusal and
    loads the file again with the protection off.
    Can go: when the fork drops the fallback.
    """
    if hasattr(mmengine_checkpoint, '_safe_torch_load'):
        mmengine_checkpoint._safe_torch_load = _load_for_mmengine


def _load_for_mmengine(file, map_location=None, weights_only=True, **kwargs):
    """``torch.load`` as MMEngine sees it: whatever it asks for, protected."""
    return protected_load(file, map_location)


# 8 -------------------------------------------------------------------------
def protect_all_readers() -> None:
    """Shim 8: whatever MMEngine reads, from wherever, is read under protection.

    Symptom: a checkpoint given as ``https://...``, ``torchvision://...``,
    ``openmmlab://...`` or ``mmcls://...`` runs the code in it; and where a file is
    refused, torch's message advises to switch the protection off.
    Cause: MMEngine's ``load_url`` is torch's hub loader, whose default is
    ``weights_only=False``; its other readers leave the choice to torch's default, which
    an environment variable turns round.
    Can go: when MMEngine passes ``weights_only=True``. Then only our words for a refused
    file go.
    """
    if not isinstance(mmengine_checkpoint.torch, _ProtectedTorch):
        mmengine_checkpoint.torch = _ProtectedTorch('torch')
    mmengine_checkpoint.load_url = _load_url


class _ProtectedTorch(ModuleType):
    """torch for one module of MMEngine: all of it, but with a load that protects."""

    load = staticmethod(_load_for_mmengine)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _load_url(url, model_dir=None, map_location=None, progress=True, **kwargs):
    """Replace ``mmengine.utils.dl_utils.load_url`` where checkpoints are read."""
    folder = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    return protected_load(fetched(url, folder, progress), map_location, url)


# 9 -------------------------------------------------------------------------
def drop_saved_config() -> None:
    """Shim 9: a config in a checkpoint is text, and never runs.

    Symptom: resuming a checkpoint of clean tensors runs the Python in its
    ``meta['config']``.
    Cause: ``Runner.resume`` evaluates it by ``Config.fromstring``, to compare
    ``gpu_ids``, a setting that MMEngine no longer has. It writes its own config to
    ``meta['cfg']``, which it does not evaluate.
    Can go: when ``Runner.resume`` leaves ``meta['config']`` alone.
    """
    true_load = CheckpointLoader.load_checkpoint
    if hasattr(true_load, '__wrapped__'):
        return

    @wraps(true_load)
    def load_checkpoint(filename, map_location=None, logger='current'):
        checkpoint = true_load(filename, map_location, logger)
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get('meta'), dict):
            checkpoint['meta'].pop('config', None)
        return checkpoint

    CheckpointLoader.load_checkpoint = staticmethod(load_checkpoint)
