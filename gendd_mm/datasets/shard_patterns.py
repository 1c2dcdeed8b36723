"""Find the tar shards that patterns name."""

import glob
import os
import re
from collections.abc import Iterable, Iterator

# {00000..00331} or {train,val}; any other braces are part of the name.
BRACES = re.compile(r'\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}')


def find_shards(patterns: Iterable[str], root: str = '') -> tuple[list[str], list[str]]:
    """The files that patterns match, sorted, and what else they match: folders, pipes.

    A pattern may have ``*``, ``?``, ``[0-3]``, the braces of webdataset and ``~``. A file
    or folder that has just the name is taken, whatever characters are in it; those in
    ``root`` never stand for others.

    Args:
        patterns: Patterns, or names of files.
        root: Folder that they are relative to. Defaults to '', the current one.

    Raises:
        FileNotFoundError: If a pattern, or one that its braces stand for, matches no
            file.
    """
    root = os.path.expanduser(root)
    found: set[str] = set()
    others: set[str] = set()
    for pattern in patterns:
        for path in _alternatives(root, os.path.expanduser(pattern)):
            matches = _matches(root, path)
            files = set(filter(os.path.isfile, matches))
            if not files:
                stated = f'{pattern!r}' if path == pattern else f'{pattern!r} ({path!r})'
                what = 'only folders match' if matches else 'no file matches'
                raise FileNotFoundError(
                    f'{what} shards={stated} in data_root={root!r} '
                    f'(from {os.getcwd()}); check both.'
                )
            found |= files
            others |= set(matches) - files
    return sorted(found), sorted(others)


def expand_braces(pattern: str) -> Iterator[str]:
    """The names that braces stand for, as in bash and webdataset.

    Example:
        >>> from gendd_mm.datasets.shard_patterns import expand_braces
        >>> list(expand_braces('{a,b}-{08..10}.tar'))
        ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar', 'b-09.tar', 'b-10.tar']
    """
    match = BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    first, last, names = match.groups()
    choices: Iterable[str]
    if names is not None:
        choices = names.split(',')
    else:
        width = len(first) if first.startswith('0') else 0
        step = 1 if int(first) <= int(last) else -1
        choices = (f'{n:0{width}}' for n in range(int(first), int(last) + step, step))
    for choice in choices:
        yield from expand_braces(pattern[: match.start()] + choice + pattern[match.end() :])


def _alternatives(root: str, pattern: str) -> Iterable[str]:
    if os.path.exists(os.path.join(root, pattern)):
        return [pattern]
    return expand_braces(pattern)


def _matches(root: str, pattern: str) -> list[str]:
    path = os.path.join(root, pattern)
    if os.path.exists(path):
        return [path]
    folder, name = os.path.split(pattern)
    # A folder that is there means itself, brackets and all.
    if os.path.isdir(os.path.join(root, folder)):
        folder = glob.escape(folder)
    folder = os.path.join(glob.escape(root), folder)
    return glob.glob(os.path.join(folder, name)) or glob.glob(
        os.path.join(folder, name.replace('[', '[[]'))
    )
