"""Write files whole or not at all, even if the run is killed."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.utils import mkdir_or_exist


@register_backend('gendd_mm.atomic')
class AtomicBackend(LocalBackend):
    """MMEngine's local files, but new content replaces the old in one step.

    MMEngine writes checkpoints in place: a run that is killed while it writes
    leaves a truncated file, and the old content is lost. For local folders::

        CheckpointHook(backend_args=dict(backend='gendd_mm.atomic'))
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write beside ``filepath``, then rename.

        Args:
            obj: The whole content.
            filepath: Where it goes; missing folders are made.
        """
        mkdir_or_exist(os.path.dirname(filepath))
        partial = f'{filepath}.part'
        with open(partial, 'wb') as file:
            file.write(obj)
            file.flush()
            # On the disk before the name: a power cut counts as well.
            os.fsync(file.fileno())
        os.replace(partial, filepath)
