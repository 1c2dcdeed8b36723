from .inferencer import GenDDInferencer
from .spread import Spread, spread

__all__ = ['GenDDInferencer', 'Spread', 'spread']
