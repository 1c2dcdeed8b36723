"""The checkpoint that a run goes on from: one, the same on all ranks."""

import os.path as osp

from mmengine.config import Config
from mmengine.dist import is_main_process

from gendd_mm.checkpoint import check_checkpoint, local_file
from gendd_mm.engine.latest_checkpoint import is_sharded, latest_checkpoint
from gendd_mm.engine.ranks import on_rank_0, refuse_together

__all__ = ['check_on_all_ranks', 'resume_from']


def resume_from(cfg: Config, asked: str | None) -> None:
    """Set ``resume`` and ``load_from`` of a merged config, in place.

    Rank 0 chooses the checkpoint. All ranks call this together, when their process group
    is there.

    Args:
        cfg: Config of the run.
        asked: A checkpoint; or ``'auto'``, the latest in the work dir, or the beginning
            if there is none; or None, what the config says.

    Raises:
        FileNotFoundError: If ``asked`` is a file that does not exist.
        ValueError: If the checkpoint is damaged or lacks something, if the run has lost
            its checkpoints, or if another rank does not find the same file.
    """
    if asked is None and not cfg.get('resume'):
        return
    path = asked or cfg.get('load_from') or 'auto'
    found = on_rank_0(lambda: _chosen(path, cfg.work_dir))
    # No checkpoint yet: the same command starts from the beginning.
    cfg.resume = found is not None
    if found is not None:
        cfg.load_from = found
        check_on_all_ranks(found, resumable=True)


def check_on_all_ranks(path: str, resumable: bool) -> None:
    """Check that every rank finds the checkpoint that rank 0 has chosen, and a good one.

    All ranks call this together.

    Raises:
        ValueError: On all ranks, if one does not; it names rank, machine and file.
    """
    fault = ''
    # Checked by rank 0 already. What is remote or in parts is left to MMEngine.
    if not is_main_process() and '://' not in path and not osp.isdir(path):
        try:
            check_checkpoint(path, resumable)
        except (OSError, ValueError) as error:
            fault = str(error)
    refuse_together(
        fault,
        f'Rank 0 goes on from {path}, so all ranks must read that file: put the work dir on a '
        'file system that all machines share.',
    )


def _chosen(path: str, work_dir: str) -> str | None:
    if path == 'auto':
        return latest_checkpoint(work_dir, resumable=True)
    if '://' in path or is_sharded(path):
        return path
    check_checkpoint(path, resumable=True)
    return osp.abspath(local_file(path))
