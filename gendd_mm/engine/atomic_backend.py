"""Write files whole or not at all, even if the run is killed."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import ClassVar

from mmengine.fileio import LocalBackend, register_backend
from mmengine.utils import mkdir_or_exist


@register_backend('gendd_mm.atomic')
class AtomicBackend(LocalBackend):
    """MMEngine's local files, but new content replaces the old in one step.

    MMEngine writes checkpoints in place: a run that is killed while it writes
    leaves a truncated file, and the old content is lost. For local folders::

        CheckpointHook(backend_args=dict(backend='gendd_mm.atomic'))

    ``CheckpointHook`` removes the oldest checkpoint, and the former best, before it
    writes the next. Here a removed file goes when the next one is written, so that a
    full disk costs none of them. That takes the room of one more.
    """

    # Of all instances: the hook removes by one and the runner writes by another.
    _outdated: ClassVar[list[str]] = []

    def remove(self, filepath: str | Path) -> None:
        """Remove a file as soon as the next one is written."""
        if not os.path.isfile(filepath):
            raise FileNotFoundError(f'{filepath} is no file, so it cannot be removed.')
        self._outdated.append(str(filepath))

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write beside ``filepath``, then rename.

        Args:
            obj: The whole content.
            filepath: Where it goes; missing folders are made.

        Raises:
            OSError: If it cannot be written, as on a full disk. Nothing of it is left.
        """
        mkdir_or_exist(os.path.dirname(filepath))
        partial = f'{filepath}.part'
        try:
            with open(partial, 'wb') as file:
                file.write(obj)
                file.flush()
                # On the disk before the name: a power cut counts as well.
                os.fsync(file.fileno())
            os.replace(partial, filepath)
            self._remove_outdated(str(filepath))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.remove(partial)
            self._outdated.clear()
            free = shutil.disk_usage(os.path.dirname(filepath) or '.').free
            raise OSError(
                error.errno,
                f'{filepath} was not written: {error.strerror}. It needs {len(obj) / 1e6:.1f} MB, '
                f'{free / 1e6:.1f} MB are free on its disk. Older checkpoints are whole: make '
                'room and go on with --resume',
            ) from error

    def _remove_outdated(self, written: str) -> None:
        while self._outdated:
            path = self._outdated.pop()
            if path != written and os.path.isfile(path):
                os.remove(path)
