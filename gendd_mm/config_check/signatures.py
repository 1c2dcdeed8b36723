"""What a class or a function of a registry takes, from its signature."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from torch import nn

MISSING = inspect.Parameter.empty


class Argument(NamedTuple):
    """One argument: the hint its values must fit, and its default."""

    hint: Any
    default: Any


class Arguments(NamedTuple):
    """All that can be given by name; ``is_open`` if there may be others."""

    known: dict[str, Argument]
    is_open: bool


@cache
def arguments_of(built: Callable) -> Arguments:
    """Read the arguments of a class or a function.

    ``**kwargs`` go on to the base class, or to what a function wraps. A network of
    another package may use them for anything, so that any name may be meant.
    """
    known: dict[str, Argument] = {}
    ever_open = False
    for function in _constructors(built):
        is_open = False
        for name, parameter in inspect.signature(function, follow_wrapped=False).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                is_open = True
            elif parameter.kind is not parameter.VAR_POSITIONAL and name != 'self':
                hints = _hints(function)
                known.setdefault(name, _argument(hints.get(name, Any), parameter.default))
        ever_open = ever_open or is_open
        if not is_open:
            return Arguments(known, ever_open and _is_network_of_others(built))
    return Arguments(known, True)


def _is_network_of_others(built: Callable) -> bool:
    is_network = inspect.isclass(built) and issubclass(built, nn.Module)
    return is_network and not built.__module__.startswith('gendd_mm')


def _constructors(built: Callable) -> list[Callable]:
    if inspect.isclass(built):
        return [
            vars(base)['__init__']
            for base in built.__mro__
            if '__init__' in vars(base) and base not in (object, nn.Module)
        ]
    wrapped = getattr(built, '__wrapped__', None)
    return [built, *(_constructors(wrapped) if wrapped is not None else [])]


@cache
def _hints(function: Callable) -> dict[str, Any]:
    # One by one: torch imports some names for type checkers alone.
    names = {**vars(collections.abc), **getattr(inspect.unwrap(function), '__globals__', {})}
    found: dict[str, Any] = {}
    for name, hint in getattr(function, '__annotations__', {}).items():
        with suppress(Exception):  # a name that is not there at run time
            alone = types.SimpleNamespace(__annotations__={name: hint})
            found |= typing.get_type_hints(alone, names)
    return found


def _argument(hint: Any, default: Any) -> Argument:
    if hint is Any:
        hint = _hint_of_default(default)
    elif default is None:
        hint = hint | None if isinstance(hint, type) else typing.Optional[hint]  # noqa: UP045
    return Argument(hint, default)


def _hint_of_default(default: Any) -> Any:
    """A default says something: a switch stays a switch, a number no text."""
    return bool if isinstance(default, bool) else Any
