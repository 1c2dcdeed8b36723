"""One clear line for a setting that cannot be meant so."""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any, NoReturn

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
_short.maxlist = _short.maxtuple = _short.maxdict = 4


class ConfigError(ValueError):
    """A setting of a config is wrong; the message names it, the rule and the remedy."""


def refuse(path: str, value: Any, rule: str, remedy: str) -> NoReturn:
    """Raise a :class:`ConfigError` about one setting.

    Args:
        path: Its dotted path, as ``--cfg-options`` takes it.
        value: What it is.
        rule: What it must be, as a verb phrase.
        remedy: What to do.
    """
    raise ConfigError(f'{path}={_short.repr(value)} {rule}; {remedy}.')


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like a misspelled one; None if none is."""
    lowered: dict[str, str] = {}
    for each in known:
        lowered.setdefault(each.lower(), each)
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[found[0]] if found else None


def refuse_key(path: str, owner: str, known: Iterable[str]) -> NoReturn:
    """Raise a :class:`ConfigError` about a key that nothing reads."""
    known = sorted(known)
    near = nearest(path.rpartition('.')[2], known)
    choices = ', '.join(known) if known else 'none'
    remedy = f'did you mean {near}' if near else f'remove it, or choose from {choices}'
    raise ConfigError(f'{path} is not a setting of {owner}; {remedy}.')
