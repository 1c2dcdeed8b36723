"""Generative Distribution Distillation (arXiv 2507.14503).

``gendd_mm.generative`` is the method in plain torch. With the OpenMMLab stack
installed, importing ``gendd_mm`` also registers what its configs name.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from . import generative
from .version import __version__

__all__ = ['__version__', 'generative']

_STACK = ('mmengine', 'mmcv', 'mmpretrain', 'mmrazor', 'joblib')
_missing = [name for name in _STACK if find_spec(name) is None]

if not _missing:
    # Most pixels of an image, by its header. OpenCV, which mmcv imports, reads it when it
    # is loaded and would otherwise fill 3 GB of memory from a file of some kilobytes.
    # It is the limit that Pillow has anyway.
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', '89478485')

    # The shims first: they must be in place before anything imports mmrazor.
    from . import compat

    compat.apply()

    from . import datasets, engine, evaluation, models  # noqa: F401
    from .distillation import distill
    from .inference import GenDDInferencer

    __all__ += ['GenDDInferencer', 'distill']
else:
    from .missing_stack import refuse_all_but

    refuse_all_but('generative', 'version', missing=_missing)

    def __getattr__(name: str) -> ModuleType:
        if name.startswith('__'):
            raise AttributeError(name)
        return import_module(f'{__name__}.{name}')
