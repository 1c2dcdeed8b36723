"""Results as lines of JSON: added whole or not at all, the latest counts."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ['append_record', 'exclusive', 'key_of', 'latest_records', 'read_records']

PathLike = str | Path
KEY = ('setting', 'method', 'seed', 'sweep', 'value')


def key_of(record: dict) -> tuple:
    """What a record is a result of."""
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
                f'{path}:{number} is not JSON ({error}); mend or remove that line.'
            ) from error
    return records


def latest_records(records: list[dict]) -> list[dict]:
    """The last record of each key, in the order of their first."""
    latest: dict[tuple, dict] = {}
    for record in records:
        latest[key_of(record)] = record
    return list(latest.values())


def append_record(path: PathLike, record: dict) -> None:
    """Add a line to a file, whatever its end or that of the machine.

    The file is replaced as a whole: a reader sees the line or does not.
    Writers of one machine wait for each other.
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
    """Hold a lock file, which falls with the process.

    Raises:
        BlockingIOError: If another holds it and ``wait`` is false.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
