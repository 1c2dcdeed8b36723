"""Python source of settings, as the configs of this project are written."""

from typing import Any

__all__ = ['assignments']


def assignments(**settings: Any) -> str:
    """A line or a block for each setting, without quotes around keys."""
    return ''.join(
        f'{name} = {_source(value, len(name) + 3)}\n' for name, value in settings.items()
    )


def _source(value: Any, column: int = 0, indent: int = 0) -> str:
    if isinstance(value, dict):
        parts = [(f'{key}=', each) for key, each in value.items()]
        left, right = 'dict(', ')'
    elif isinstance(value, (list, tuple)):
        parts = [('', each) for each in value]
        left, right = (
            ('[', ']') if isinstance(value, list) else ('(', ',)' if len(value) == 1 else ')')
        )
    else:
        return repr(value)
    line = left + ', '.join(name + _source(each) for name, each in parts) + right
    if '\n' not in line and column + len(line) < 96:
        return line
    inner = indent + 4
    lines = [
        f'{" " * inner}{name}{_source(each, inner + len(name), inner)},\n' for name, each in parts
    ]
    return f'{left}\n{"".join(lines)}{" " * indent}{right[-1]}'
