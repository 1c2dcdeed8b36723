"""The folder of a run, which one training at a time may write to."""

import logging
import os
import os.path as osp
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from filelock import FileLock, Timeout
from mmengine.logging import print_log

from gendd_mm.engine.ranks import on_rank_0, refuse_together

__all__ = ['claimed']


@contextmanager
def claimed(work_dir: str) -> Iterator[None]:
    """Make a work dir and keep other trainings out of it while the block runs.

    All ranks enter together. Rank 0 locks the file ``.lock`` there, the same that a
    benchmark locks; ``.lock.owner`` beside it says who holds it. The operating system
    takes the lock from a process that has ended in any way. A test needs no claim: it
    writes into a folder of its own by its time, and no checkpoint.

    Raises:
        ValueError: On all ranks, if one cannot write there, or if another run has it.
    """
    refuse_together(
        _fault(work_dir), 'Choose another folder by --work-dir, or correct its permissions.'
    )
    with ExitStack() as held:
        on_rank_0(lambda: _lock(work_dir, held))
        yield


def _fault(work_dir: str) -> str:
    """Why nothing can be written to a folder, which is made if need be; or nothing."""
    try:
        os.makedirs(work_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            return ''
    except OSError as error:
        # Of the folder or one above it: the one that is wrong.
        place = f'{error.filename}: ' if error.filename else ''
        return f'work_dir={work_dir!r} cannot be written to ({place}{error.strerror})'


def _lock(work_dir: str, held: ExitStack) -> None:
    """Lock a folder until ``held`` is closed."""
    path = osp.join(osp.abspath(work_dir), '.lock')
    owner = f'{path}.owner'
    # A file that takes the place of a lock would outlive a run that was killed, and a run
    # on Slurm that left at once: requeued on another machine, it would be refused.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f'work_dir={work_dir!r} is in use by another run ({_read(owner)}). Two runs would '
            'mix their checkpoints: wait for it, stop it, or choose another folder by --work-dir.'
        ) from None
    except OSError as error:
        print_log(
            f'{path} cannot be locked ({error.strerror}), so nothing keeps a second run out of '
            'this work dir. On a network file system that may be a mount without locks.',
            logger='current',
            level=logging.WARNING,
        )
        return
    held.callback(lock.release)
    with open(owner, 'w', encoding='utf-8') as file:
        file.write(
            f'process {os.getpid()} on {socket.gethostname()}, since {time.strftime("%F %T")}'
        )
    held.callback(_remove, owner)


def _read(owner: str) -> str:
    try:
        with open(owner, encoding='utf-8', errors='replace') as file:
            return file.read().strip() or 'of an unknown process'
    except OSError:
        return 'of an unknown process'


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)
