from .gendd import GenDD
from .linear_probing import LinearProbing
from .measured_sizes import fill_in_sizes

__all__ = ['GenDD', 'LinearProbing', 'fill_in_sizes']
