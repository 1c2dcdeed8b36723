from .gendd import GenDD
from .linear_probing import LinearProbing

__all__ = ['GenDD', 'LinearProbing']
