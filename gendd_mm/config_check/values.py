"""Values against type hints, without surprises: True is no number, '0.1' neither."""

import ast
import collections.abc
import math
import numbers
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from .errors import refuse

# Settings for which infinity has a meaning.
MAY_BE_INFINITE = ('norm_type', 'patience', 'stopping_threshold')
_NAMES = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    str: 'a text',
    dict: 'a dict',
    type(None): 'None',
}


def leaves(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """All values of a config that are no dict or list, with their dotted paths."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from leaves(value, f'{path}.{index}')
    else:
        yield path, node


def check_finite(config: Mapping[str, Any]) -> None:
    """Refuse infinities and NaN anywhere.

    Raises:
        ConfigError: With the path of the first.
    """
    for path, value in leaves(config):
        if not isinstance(value, float) or math.isfinite(value):
            continue
        if math.isinf(value) and path.rpartition('.')[2] in MAY_BE_INFINITE:
            continue
        refuse(path, value, 'is not a finite number', 'give a finite one')


def is_number(value: Any) -> bool:
    """Whether it is a number and no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_quoted_number(value: Any) -> bool:
    """Whether it is a text that reads as a number."""
    return isinstance(value, str) and is_number(_without_quotes(value))


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a config is what a type hint asks for.

    A whole number is a number; a list is as good as a tuple. A class that a config
    cannot write (a module, a dataset) takes anything but a number or a text: it is
    built from a dict. A hint that is not understood takes everything.
    """
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    kind = origin or hint
    if kind is None or kind is type(None):
        return value is None
    if not isinstance(kind, type) or kind in (Any, object):
        return True
    if kind is Tensor:
        return False  # a config cannot write one
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if kind in (float, numbers.Number, numbers.Real):
        return is_number(value)
    if kind is str:
        return isinstance(value, str)
    if kind in (list, tuple) or kind in (
        collections.abc.Sequence,
        collections.abc.Iterable,
        collections.abc.Collection,
    ):
        return _fits_sequence(value, kind, typing.get_args(hint))
    if kind in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        *_, of_values = typing.get_args(hint) or (Any,)
        return isinstance(value, Mapping) and all(fits(v, of_values) for v in value.values())
    # In quotes, a number is no name of an object either.
    value = _without_quotes(value)
    return isinstance(value, kind) or not isinstance(value, (bool, int, float, type(None)))


def _fits_sequence(value: Any, kind: type, arguments: tuple) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    return not arguments or all(fits(each, arguments[0]) for each in value)


def in_words(hint: Any) -> str:
    """A type hint as a user says it: ``'a whole number or None'``."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return ' or '.join(dict.fromkeys(map(in_words, typing.get_args(hint))))
    if typing.get_origin(hint) is typing.Literal:
        return f'one of {list(typing.get_args(hint))}'
    kind = typing.get_origin(hint) or hint
    arguments = [each for each in typing.get_args(hint) if each is not Ellipsis]
    if kind is tuple and arguments and arguments[-1:] == list(typing.get_args(hint)[-1:]):
        return f'a list of {len(arguments)} ({", ".join(map(in_words, arguments))})'
    if kind in (list, tuple, collections.abc.Sequence, collections.abc.Iterable):
        return f'a list (of {in_words(arguments[0])})' if arguments else 'a list'
    if kind in (dict, collections.abc.Mapping):
        return 'a dict'
    return _NAMES.get(kind) or f'of {getattr(kind, "__name__", kind)}'


def check_type(path: str, value: Any, hint: Any) -> None:
    """Refuse a value that is not of a type.

    Raises:
        ConfigError: With the path, the value and the remedy.
    """
    if fits(value, hint):
        return
    meant = _without_quotes(value)
    if meant is not value and fits(meant, hint):
        remedy = f'write {meant!r} without quotes'
    elif isinstance(value, bool) and fits(1, hint):
        remedy = 'True and False are no numbers'
    elif isinstance(value, float) and fits(round(value) if math.isfinite(value) else 0, hint):
        remedy = f'write {round(value)}'
    else:
        remedy = f'it is of type {type(value).__name__} now'
    refuse(path, value, f'must be {in_words(hint)}', remedy)


def check_scalar(path: str, value: Any, hint: Any) -> None:
    """:func:`check_type`, by a hint that may forget fractions and texts.

    ``int`` may stand for any number, and a name may be among the choices; a number or a
    switch in quotes is neither.
    """
    if is_number(value) and fits(0, hint):
        return
    if isinstance(value, str) and not fits(_without_quotes(value), hint):
        return
    check_type(path, value, hint)


def _without_quotes(value: Any) -> Any:
    """What a text says when read as Python: ``'0.1'``, ``'False'``, ``'[1, 2]'``."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return ast.literal_eval({'true': 'True', 'false': 'False'}.get(text.lower(), text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
