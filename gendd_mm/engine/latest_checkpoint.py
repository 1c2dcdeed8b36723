"""Find the checkpoint to resume a run from, however it ended."""

import logging
import os
import os.path as osp
import re
import zipfile

import torch
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def latest_checkpoint(work_dir: str) -> str | None:
    """The newest complete checkpoint in a work dir.

    MMEngine's ``last_checkpoint`` names it. If that file is empty, or the checkpoint it
    names is cut short, older ones ``epoch_N.pth`` or ``iter_N.pth`` take its place,
    with a warning.

    Returns:
        Its path, or None if no checkpoint was ever completed there.

    Raises:
        ValueError: If one was completed and none can be read any more.
    """
    named = ''
    if osp.isfile(osp.join(work_dir, 'last_checkpoint')):
        named = find_latest_checkpoint(work_dir)
    if '://' in named or osp.isdir(named):
        # On other storage, or sharded: left to MMEngine.
        return named
    others = _numbered(osp.abspath(work_dir))
    # The named one first: a run that was resumed from an older one is behind.
    for path in dict.fromkeys([named, *others] if named else others):
        if _is_whole(path):
            return path
        print_log(
            f'{path} is missing, cut short or damaged: looking for an older checkpoint.',
            logger='current',
            level=logging.WARNING,
        )
    if named:
        raise ValueError(
            f'{work_dir}/last_checkpoint names {named}, but neither it nor '
            'another checkpoint there can be read to its end. Restore one, or '
            'start over: remove last_checkpoint or leave --resume out.'
        )
    return None


def is_final(checkpoint: str, train_cfg: dict) -> bool:
    """Whether a checkpoint is of the last epoch or iteration of a run.

    Args:
        checkpoint: Path of a checkpoint that MMEngine wrote.
        train_cfg: ``train_cfg`` of the run, with ``max_epochs`` or ``max_iters``.
    """
    meta = torch.load(checkpoint, map_location='cpu', mmap=True, weights_only=True)['meta']
    if 'max_epochs' in train_cfg:
        return meta['epoch'] >= train_cfg['max_epochs']
    return meta['iter'] >= train_cfg['max_iters']


def _numbered(work_dir: str) -> list[str]:
    """Checkpoints named by epoch or iteration, the highest first."""
    if not osp.isdir(work_dir):
        return []
    numbers = {
        osp.join(work_dir, name): int(match[1])
        for name in os.listdir(work_dir)
        if (match := _NUMBERED.fullmatch(name))
    }
    return sorted(numbers, key=numbers.__getitem__, reverse=True)


def _is_whole(path: str) -> bool:
    """Whether a file of ``torch.save``, a zip archive, is complete."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
