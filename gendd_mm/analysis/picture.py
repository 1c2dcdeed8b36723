"""A picture on disk."""

from pathlib import Path
from typing import Any

__all__ = ['check_picture', 'save_picture']


def check_picture(path: str | Path) -> None:
    """Refuse an ending that matplotlib cannot write, before anything is computed.

    Raises:
        ValueError: If it is one, or matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError('pictures need matplotlib; pip install matplotlib.') from error
    known = Figure().canvas.get_supported_filetypes()
    ending = Path(path).suffix[1:]
    if ending not in known:
        raise ValueError(f'{path} ends with {ending!r}; choose from {", ".join(sorted(known))}.')


def save_picture(figure: Any, path: str | Path) -> None:
    """Write a figure of matplotlib; its folder is made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
