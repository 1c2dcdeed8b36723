"""Shims that let MMRazor 1.0 and MMEngine 0.10 run on the current stack.

Each shim has a number and states its symptom, its cause and when it can go.
A shim does nothing where upstream already works, may be applied twice, and
restores what it changes for a moment: after ``apply()``, torch and mmcv report
their true versions. Those of checkpoints, 2, 3, 8 and 9, are in ``checkpoint_shims.py``.
"""

import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import mmcv
import mmengine.utils.package_utils as package_utils
import torch
from mmengine.dist import init_dist
from mmengine.utils import digit_version

from gendd_mm import checkpoint_shims

__all__ = ['apply', 'init_gloo']

# The parts of MMRazor that a config can name.
_MMRAZOR_PACKAGES = ('registry', 'structures', 'models', 'engine', 'datasets', 'visualization')


def apply() -> None:
    """Put every shim in place. The warnings are silenced before they can come."""
    silence_harmless_warnings()  # 7
    supply_pkg_resources()  # 1
    checkpoint_shims.apply()  # 2, 3, 8 and 9
    import_mmrazor()  # 4
    with keep_recursion_limit():  # 10
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
    """Makes a module with what MMEngine and pytest use of pkg_resources."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == 'pkg_resources':
            return importlib.util.spec_from_loader(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(
            DistributionNotFound=importlib.metadata.PackageNotFoundError,
            get_distribution=_Distribution,
            # pytest's syspath_prepend tells a loaded pkg_resources of a new folder. This one
            # has no namespace packages to look for there.
            fixup_namespace_packages=lambda path_item, parent=None: None,
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


# 10 ------------------------------------------------------------------------
@contextmanager
def keep_recursion_limit() -> Iterator[None]:
    """Shim 10: keep Python's limit of recursion while MMRazor loads.

    Symptom: JSON that is nested too deeply ends the process by SIGSEGV, where Python
    raises ``RecursionError``.
    Cause: the tracers of MMRazor 1.0.0, for pruning, set the limit of the whole process
    to 1,048,576 when they are imported.
    Can go: when they do not. Whoever traces a very deep network sets it again.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
