"""Run a teacher once and store its features."""

from .builder import StoreBuilder
from .opening import open_builder

__all__ = ['StoreBuilder', 'open_builder']
