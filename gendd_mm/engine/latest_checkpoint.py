"""Find the checkpoint to resume a run from, however it ended."""

import logging
import os
import os.path as osp
import re

from mmengine.logging import print_log

from gendd_mm.checkpoint import check_checkpoint, read_checkpoint

_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def latest_checkpoint(work_dir: str, resumable: bool = False) -> str | None:
    """The newest good checkpoint in a work dir.

    MMEngine's ``last_checkpoint`` names it. If that file is damaged, or the checkpoint
    it names is not good, older ones ``epoch_N.pth`` or ``iter_N.pth`` take its place,
    with a warning.

    Args:
        work_dir: Folder of the run.
        resumable: Whether a run must be able to go on from it, which takes more than
            weights.

    Returns:
        Its path, or None if no checkpoint was ever completed there.

    Raises:
        ValueError: If one was completed and none is good any more.
    """
    pointer = osp.join(work_dir, 'last_checkpoint')
    named = _named(pointer, work_dir)
    # On other storage, or in parts: left to MMEngine.
    if re.match(r'\w+://', named):
        return named
    if is_sharded(named):
        return osp.abspath(named)
    others = _numbered(osp.abspath(work_dir))
    faults = []
    # The named one first: a run that was resumed from an older one is behind.
    for path in dict.fromkeys([osp.abspath(named), *others] if named else others):
        try:
            check_checkpoint(path, resumable)
        except (OSError, ValueError) as error:
            faults.append(str(error))
            print_log(
                f'{path} is passed over, looking for an older checkpoint: {error}',
                logger='current',
                level=logging.WARNING,
            )
        else:
            return path
    # A first checkpoint alone may be what a killed run was writing.
    if osp.lexists(pointer) or len(faults) > 1:
        raise ValueError(
            f'{work_dir} has lost its checkpoints: last_checkpoint names {named!r}, but neither '
            f'it nor another checkpoint there is good: {faults}. Restore one, or start over: '
            'remove last_checkpoint and the damaged files, or leave --resume out.'
        )
    return None


def is_final(checkpoint: str, train_cfg: dict) -> bool:
    """Whether a checkpoint states that it is of the last epoch or iteration of a run.

    Args:
        checkpoint: Path of a checkpoint that MMEngine wrote.
        train_cfg: ``train_cfg`` of the run, with ``max_epochs`` or ``max_iters``.
    """
    content = read_checkpoint(checkpoint, mmap=True)
    meta = content.get('meta') if isinstance(content, dict) else None
    unit, end = ('epoch', 'max_epochs') if 'max_epochs' in train_cfg else ('iter', 'max_iters')
    reached = meta.get(unit) if isinstance(meta, dict) else None
    return isinstance(reached, int) and reached >= train_cfg[end]


def _named(pointer: str, work_dir: str) -> str:
    """The checkpoint that ``last_checkpoint`` names; empty if that file is damaged."""
    try:
        with open(pointer, encoding='utf-8') as file:
            name = file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ''
    if not name.isprintable() or not name:  # NUL bytes of a power failure
        return ''
    # It may be relative, to here or to the work dir, and the work dir may have moved.
    moved = osp.join(osp.abspath(work_dir), osp.basename(name))
    return moved if not osp.exists(name) and osp.isfile(moved) else name


def is_sharded(path: str) -> bool:
    """Whether a folder is a checkpoint in parts, of torch or of DeepSpeed."""
    return osp.isdir(path) and any(
        name == '.metadata' or name.endswith('_states.pt') for name in os.listdir(path)
    )


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
