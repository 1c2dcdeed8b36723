"""The configs and tools that come with the package: beside it in a checkout, else in ``.mim``."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def is_checkout() -> bool:
    """Whether the package is imported from a checkout of its repository."""
    return (_PACKAGE.parent / 'setup.cfg').is_file()


def shipped(path: str) -> Path:
    """A file that comes with the package.

    Args:
        path: As in the repository, with slashes: ``'configs/...'`` or ``'tools/...'``.

    Returns:
        Where it is; there may be none.

    Example:
        >>> shipped('configs/gendd_digits.py').is_file()
        True
    """
    return (_PACKAGE.parent if is_checkout() else _PACKAGE / '.mim') / path


def existing_or_shipped(path: str) -> str:
    """A path as it is if there is such a file, else that of the shipped config of its name.

    So ``configs/gendd_digits.py`` can be named in every folder.
    """
    if path.startswith('configs/') and not Path(path).exists() and shipped(path).is_file():
        return str(shipped(path))
    return path
