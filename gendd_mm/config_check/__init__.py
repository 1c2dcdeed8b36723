"""One look at all settings of a run before anything is built from them."""

from .errors import ConfigError
from .run import check_config

__all__ = ['ConfigError', 'check_config']
