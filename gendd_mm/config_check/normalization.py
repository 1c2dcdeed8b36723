"""Means and standard deviations of images."""

from collections.abc import Mapping
from typing import Any

from .errors import refuse
from .values import is_number


def check_normalization(node: Any, path: str = '') -> None:
    """Check every pair of ``mean`` and ``std`` of a data preprocessor.

    Raises:
        ConfigError: If they are no numbers, of different length, or std is not positive.
    """
    if isinstance(node, (list, tuple)):
        for index, each in enumerate(node):
            check_normalization(each, f'{path}.{index}')
    if not isinstance(node, Mapping):
        return
    if path.rpartition('.')[2].endswith('data_preprocessor') and (
        node.get('mean') is not None or node.get('std') is not None
    ):
        _check_pair(node, path)
    for key, value in node.items():
        check_normalization(value, f'{path}.{key}' if path else str(key))


def _check_pair(node: Mapping, path: str) -> None:
    for name in ('mean', 'std'):
        values = node.get(name)
        if not isinstance(values, (list, tuple)) or not all(map(is_number, values)):
            refuse(f'{path}.{name}', values, 'must be a list of numbers', 'one for each channel')
    mean, std = node['mean'], node['std']
    if len(mean) not in (1, 3) or len(mean) != len(std):
        refuse(
            f'{path}.std', std, f'must be as long as mean={mean!r}, 1 or 3', 'one for each channel'
        )
    if min(mean) < 0:
        refuse(f'{path}.mean', mean, 'must not be negative', 'pixels are not')
    if min(std) <= 0:
        refuse(f'{path}.std', std, 'must be positive', 'images are divided by it')
