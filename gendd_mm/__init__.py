"""Generative Distribution Distillation (arXiv 2507.14503) for OpenMMLab."""

# First of all: the shims must be in place before anything imports mmrazor.
from . import compat  # isort: skip

compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402, F401
from .version import __version__  # noqa: E402

__all__ = ['__version__']
