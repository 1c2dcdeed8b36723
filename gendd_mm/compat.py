"""Shims that let MMRazor 1.0 and MMEngine 0.10 run on the current stack.

Each shim has a number and states its symptom, its cause and when it can go.
A shim does nothing where upstream already works, may be applied twice, and
restores what it changes for a moment: after ``apply()``, torch and mmcv report
their true versions.
"""

import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import re
import sys
import warnings
from pickle import UnpicklingError
from types import ModuleType
from typing import Any
from unittest import mock

import mmcv
import mmengine.utils.package_utils as package_utils
import numpy as np
import torch
from mmengine.dist import init_dist
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.utils import digit_version

__all__ = ['apply', 'init_gloo']

# The parts of MMRazor that a config can name.
_MMRAZOR_PACKAGES = ('registry', 'structures', 'models', 'engine', 'datasets', 'visualization')


def apply() -> None:
    """Put every shim in place. The warnings are silenced before they can come."""
    silence_harmless_warnings()  # 7
    supply_pkg_resources()  # 1
    allow_mmengine_checkpoints()  # 2
    keep_weights_only_on()  # 3
    import_mmrazor()  # 4
    import_mmrazor_packages()  # 5


# 1 -------------------------------------------------------------------------
def supply_pkg_resources() -> None:
    """Shim 1: ``pkg_resources`` for MMEngine, from importlib.metadata.

    Symptom: ``No module named 'pkg_resources'`` from ``mmengine.utils``, for
    instance when a config names ``mmpretrain::...``.
    Cause: MMEngine 0.10.7 looks distributions up in pkg_resources, which
    setuptools 82 removed.
    Can go: with the last supported MMEngine that imports pkg_resources (the
    OneDL fork no longer does).
    """
    names = package_utils.is_installed.__code__.co_names
    if 'pkg_resources' not in names:
        return
    if importlib.util.find_spec('pkg_resources') is not None:
        return
    # The last of the finders: a real pkg_resources always wins.
    sys.meta_path.append(_PkgResourcesFinder())


class _PkgResourcesFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes a module with what MMEngine uses of pkg_resources."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == 'pkg_resources':
            return importlib.util.spec_from_loader(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(
            DistributionNotFound=importlib.metadata.PackageNotFoundError,
            get_distribution=_Distribution,
        )


class _Distribution:
    """What MMEngine reads of ``pkg_resources.get_distribution(name)``."""

    def __init__(self, name: str) -> None:
        self._dist = importlib.metadata.distribution(name)
        self.location = str(self._dist.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._dist.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._dist.read_text(name) or ''


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
        mmengine_checkpoint._safe_torch_load = _protected_load


def _protected_load(file, map_location=None, weights_only=None):
    """Replace onedl-mmengine's ``_safe_torch_load``."""
    return torch.load(
        file, map_location=map_location, weights_only=True if weights_only is None else weights_only
    )


# 4 -------------------------------------------------------------------------
def import_mmrazor() -> None:
    """Shim 4: import MMRazor beside an mmcv that is newer than it.

    Symptom: ``AssertionError: MMCV==2.2.0 is used but incompatible``.
    Cause: MMRazor 1.0.0 asserts mmcv <= 2.1.0, the newest at its release; mmcv
    2.2 and onedl-mmcv 2.3 work.
    Can go: when MMRazor lifts the limit.
    """
    if 'mmrazor' in sys.modules:
        return
    version = mmcv.__version__
    if digit_version(version) > digit_version('2.1.0'):
        version = '2.1.0'
    # `import mmrazor` runs only this check, so no other package sees the version.
    with mock.patch.object(mmcv, '__version__', version):
        importlib.import_module('mmrazor')


# 5 -------------------------------------------------------------------------
def import_mmrazor_packages() -> None:
    """Shim 5: load MMRazor without its quantization code.

    Symptom: ``import mmrazor.models`` raises "`torch>=1.13` is not installed
    properly" on torch 2 (mmrazor#615).
    Cause: its quantization code imports names that torch 2 removed. It skips
    them where torch is older than 1.13, so MMRazor, and only MMRazor, sees
    torch 1.12 while it loads.
    Can go: when MMRazor's quantization runs on torch 2.
    """
    mmrazor: Any = importlib.import_module('mmrazor')
    names = [f'mmrazor.{package}' for package in _MMRAZOR_PACKAGES]
    if digit_version(torch.__version__) < digit_version('2.0.0') or all(
        name in sys.modules for name in names
    ):
        return

    true_digit_version = mmrazor.digit_version

    def digit_version_of_old_torch(version, *args, **kwargs):
        if version == torch.__version__:
            version = '1.12.0'
        return true_digit_version(version, *args, **kwargs)

    # MMRazor's modules take `digit_version` from the package when they load.
    mmrazor.digit_version = digit_version_of_old_torch
    try:
        for name in names:
            importlib.import_module(name)
    finally:
        for name, module in list(sys.modules.items()):
            if (
                name.partition('.')[0] == 'mmrazor'
                and getattr(module, 'digit_version', None) is digit_version_of_old_torch
            ):
                vars(module).update(digit_version=true_digit_version)


# 6 -------------------------------------------------------------------------
def init_gloo(launcher: str, dist_cfg: dict) -> None:
    """Shim 6: start the distributed environment on a machine without CUDA.

    Symptom: ``Found no NVIDIA driver`` when a run is launched on the CPU.
    Cause: every launcher of MMEngine calls ``torch.cuda.set_device``.
    Can go: when MMEngine checks ``torch.cuda.is_available()`` first.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi', as in MMEngine.
        dist_cfg: ``env_cfg.dist_cfg`` of the config; its backend is ignored.
    """
    options = {**dist_cfg, 'backend': 'gloo'}
    with mock.patch.object(torch.cuda, 'set_device'):
        init_dist(launcher, **options)


# 7 -------------------------------------------------------------------------
# The beginning of a warning, and its category.
_HARMLESS = (
    # mmcv-lite has no compiled operators, and no network here uses this one.
    ('Fail to import ``MultiScaleDeformableAttention``', UserWarning),
    # MMEngine's is_installed(), when a config names 'mmpretrain::...'; see shim 1.
    ('pkg_resources is deprecated as an API', UserWarning),
    # mmpretrain's MNIST and FashionMNIST never write to the array that they read.
    ('The given NumPy array is not writable', UserWarning),
    # MMRazor's DKD loss calls torch with size_average=False.
    ('size_average and reduce args will be deprecated', UserWarning),
    # mmpretrain's ColorTransform, of RandAugment, gives mmcv only alpha.
    ("Only use 'alpha' for pillow backend", UserWarning),
)


def silence_harmless_warnings() -> None:
    """Shim 7: no warning that a user of gendd_mm can do nothing about.

    Symptom: ``import gendd_mm`` and every run begin with warnings.
    Cause: upstream's code, named at each entry of ``_HARMLESS``.
    Can go: entry by entry, when upstream no longer raises the warning.
    """
    for message, category in _HARMLESS:
        warnings.filterwarnings('ignore', re.escape(message), category)
