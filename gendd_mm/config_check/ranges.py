"""Ranges of settings that mean the same wherever they stand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import refuse
from .values import is_number, is_quoted_number


@dataclass(frozen=True)
class Range:
    """An interval, with or without its ends."""

    low: float
    high: float = float('inf')
    has_low: bool = True
    has_high: bool = True

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.has_low else value > self.low
        return above and (value <= self.high if self.has_high else value < self.high)

    def __str__(self) -> str:
        if self.high == float('inf'):
            return f'at least {self.low:g}' if self.has_low else f'above {self.low:g}'
        left, right = '([)]'[self.has_low], '([)]'[2 + self.has_high]
        return f'within {left}{self.low:g}, {self.high:g}{right}'


POSITIVE = Range(0, has_low=False)
NOT_NEGATIVE = Range(0)
FROM_ONE = Range(1)
SHARE = Range(0, 1)
SHARE_BELOW_ONE = Range(0, 1, has_high=False)

RANGES = {
    'lr': NOT_NEGATIVE,
    'weight_decay': NOT_NEGATIVE,
    'betas': SHARE_BELOW_ONE,
    'eps': POSITIVE,
    'lr_mult': NOT_NEGATIVE,
    'decay_mult': NOT_NEGATIVE,
    'max_norm': POSITIVE,
    'clip_value': POSITIVE,
    'accumulative_counts': FROM_ONE,
    'eta_min': NOT_NEGATIVE,
    'start_factor': Range(0, 1, has_low=False),
    'begin': NOT_NEGATIVE,
    'batch_size': FROM_ONE,
    'num_workers': NOT_NEGATIVE,
    'prefetch_factor': FROM_ONE,
    'num_batch_per_epoch': FROM_ONE,
    'max_epochs': FROM_ONE,
    'max_iters': FROM_ONE,
    'val_interval': FROM_ONE,
    'val_begin': NOT_NEGATIVE,
    'base_batch_size': FROM_ONE,
    'opencv_num_threads': NOT_NEGATIVE,
    'loss_weight': NOT_NEGATIVE,
    'tau': POSITIVE,
    'topk': FROM_ONE,
    'drop_rate': SHARE_BELOW_ONE,
    'drop_path_rate': SHARE_BELOW_ONE,
    'label_smooth_val': SHARE,
    'prob': SHARE,
    'mid_channels': NOT_NEGATIVE,
    'num_classes': Range(-1),
    'seed': NOT_NEGATIVE,
    'scale': POSITIVE,
    'crop_size': FROM_ONE,
    'padding': NOT_NEGATIVE,
    'imbalance': FROM_ONE,
    'dilations': FROM_ONE,
    'strides': FROM_ONE,
    'num_stages': FROM_ONE,
}
# Of layers: a size of 0 makes a layer without weights, in silence.
SIZES = re.compile(r'((?<!keep)_channels|_dims?|_size|_shape|^width|^depth)$')
COUNTS = re.compile(rf'{SIZES.pattern}|^num_(?!policies)|^(seed|topk|padding)$')

# Not a list, and no item of one.
SINGLE = re.compile(
    r'(^|\.)(num_stages|(stem|base)_channels|(lr|decay)_mult|head\.(in_channels|num_classes))(\.\d+)?$'
)


def check_range(path: str, value: Any) -> None:
    """Refuse a number, or one in a list, that is outside the range of its name.

    Raises:
        ConfigError: With the path, the value and the range.
    """
    name = path.rpartition('.')[2]
    if SINGLE.search(path) and (name.isdigit() or isinstance(value, (list, tuple))):
        refuse(path, value, 'must not be a list', 'give one number')
    allowed = RANGES.get(name) or (FROM_ONE if SIZES.search(name) else None)
    counts = COUNTS.search(name)
    if name in ('interval', 'max_keep_ckpts') and is_number(value) and value < 1 and value != -1:
        refuse(path, value, 'must be at least 1, or -1 for no limit', 'change it')
    if isinstance(value, Mapping):
        return
    if SIZES.search(name) and isinstance(value, bool):
        refuse(path, value, 'must be a whole number', 'True and False are no numbers')
    if counts and is_quoted_number(value):
        refuse(path, value, 'must be a whole number', f'write {value} without quotes')
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if allowed is not None and is_number(each) and each not in allowed:
            refuse(path, value, f'must be {allowed}', 'change it')
        if counts and isinstance(each, float):
            refuse(path, value, 'must be a whole number', f'write {round(each)}')


def check_stages(node: Mapping[str, Any], path: str) -> None:
    """Refuse a list of another length than a network has stages.

    Raises:
        ConfigError: With the path of the list.
    """
    stages = node.get('num_stages')
    for name in ('strides', 'dilations'):
        values = node.get(name)
        if is_number(stages) and isinstance(values, (list, tuple)) and len(values) != stages:
            refuse(f'{path}.{name}', values, f'must have num_stages={stages} items', 'change one')


def check_normalization(node: Mapping[str, Any], path: str) -> None:
    """Check ``mean`` and ``std`` of a data preprocessor, if it states them.

    Raises:
        ConfigError: If they are no numbers, of different length, or std is not positive.
    """
    mean: Any = node.get('mean')
    std: Any = node.get('std')
    if mean is None and std is None:
        return
    for name, values in (('mean', mean), ('std', std)):
        if not isinstance(values, (list, tuple)) or not all(map(is_number, values)):
            refuse(f'{path}.{name}', values, 'must be a list of numbers', 'one for each channel')
    if len(mean) not in (1, 3) or len(mean) != len(std):
        refuse(
            f'{path}.std', std, f'must be as long as mean={mean!r}, 1 or 3', 'one for each channel'
        )
    if min(mean) < 0:
        refuse(f'{path}.mean', mean, 'must not be negative', 'pixels are not')
    if min(std) <= 0:
        refuse(f'{path}.std', std, 'must be positive', 'images are divided by it')
