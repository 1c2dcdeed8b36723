"""Results as lines of JSON, and where their numbers come from.

Lines are added whole or not at all; the latest of a run counts.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from gendd_mm.shipped import is_checkout
from gendd_mm.version import __version__

PathLike = str | Path
KEY = ('setting', 'method', 'seed', 'sweep', 'value')
PACKAGES = (
    'torch',
    'numpy',
    'mmengine',
    'onedl-mmengine',
    'mmpretrain',
    'onedl-mmpretrain',
    'mmrazor',
)
ROOT = Path(__file__).resolve().parents[2]


def key_of(record: dict) -> tuple:
    """Identifies the run of a record, whatever its settings."""
    return tuple(record.get(name) for name in KEY)


def read_records(path: PathLike) -> list[dict]:
    """All records of a file, in its order; none if there is no file.

    Raises:
        ValueError: If a line is not JSON; its number is named.
    """
    if not Path(path).exists():
        return []
    records = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                f'{path}:{number} is not JSON ({error}); repair or remove that line.'
            ) from error
    return records


def latest_records(records: list[dict]) -> list[dict]:
    """The last record of each key, in the order of their first."""
    latest: dict[tuple, dict] = {}
    for record in records:
        latest[key_of(record)] = record
    return list(latest.values())


def append_record(path: PathLike, record: dict) -> None:
    """Append a line to a file, even if the process or the machine dies meanwhile.

    The file is replaced as a whole: a reader sees the line or does not. Writers of one
    machine wait for each other.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record) + '\n'
    with exclusive(path.with_name(f'.{path.name}.lock')):
        before = path.read_text() if path.exists() else ''
        partial = path.with_name(f'.{path.name}.part')
        with open(partial, 'w') as file:
            file.write(before + line)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


@contextmanager
def exclusive(path: PathLike, wait: bool = True) -> Iterator[None]:
    """Hold a lock file; the lock ends with the process.

    Raises:
        BlockingIOError: If another holds it and ``wait`` is false.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Not a file in place of a lock: it would outlive a process that was killed.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        raise BlockingIOError(f'{path} is locked by another process') from None
    try:
        yield
    finally:
        lock.release()


def provenance() -> dict:
    """``commit``, ``versions`` and ``hardware``, for a record."""
    return dict(commit=commit(), versions=versions(), hardware=hardware())


def commit() -> str:
    """The commit of the checkout, ``-dirty`` if its code was changed.

    ``'unknown'`` where the package is not in a checkout.
    """
    if not is_checkout():  # a repository that it is installed in is another project
        return 'unknown'

    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', *arguments], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        head = git('rev-parse', '--short=12', 'HEAD')
        changed = git(
            'status', '--porcelain', '--untracked-files=no', '--', 'gendd_mm', 'configs', 'tools'
        )
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return f'{head}-dirty' if changed else head


def versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    found = dict(python=platform.python_version(), gendd_mm=__version__)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> str:
    """Processor, cores that may be used, threads, and GPU if any."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                name = line.partition(':')[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    text = f'{name}, {cores} cores, {torch.get_num_threads()} threads'
    if torch.cuda.is_available():
        text += f', {torch.cuda.get_device_name()}'
    return text
