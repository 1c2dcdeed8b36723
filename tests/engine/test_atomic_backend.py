"""Checkpoints are rotated without a moment in which none is there."""

import errno
import os
from unittest import mock

import pytest
import toy_run

from gendd_mm.engine import AtomicBackend
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.stages import train_stages


def saved(folder) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth*'))


@pytest.mark.fault(
    'Disk',
    'the disk is full, and one checkpoint is kept',
    'the old one stays; the run goes on from it',
)
def test_the_only_checkpoint_survives_a_full_disk(tmp_path):
    config, work_dir = toy_run.write(tmp_path), tmp_path / 'run'
    options = RunOptions(
        work_dir=str(work_dir),
        resume='auto',
        cfg_options={
            'train_cfg.max_epochs': 3,
            'default_hooks.checkpoint.max_keep_ckpts': 1,
            'default_hooks.checkpoint.backend_args': dict(backend='gendd_mm.atomic'),
        },
    )
    true_fsync, calls = os.fsync, []

    def full_at_the_second(file: int) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, 'No space left on device')
        true_fsync(file)

    with (
        mock.patch('gendd_mm.engine.atomic_backend.os.fsync', full_at_the_second),
        pytest.raises(OSError, match=r'epoch_2\.pth was not written: No space left'),
    ):
        train_stages(config, options)
    assert saved(work_dir) == ['epoch_1.pth']

    train_stages(config, options)
    assert saved(work_dir) == ['epoch_3.pth']


def test_a_removed_file_goes_with_the_next_write(tmp_path):
    old, new = tmp_path / 'old', tmp_path / 'new'
    backend = AtomicBackend()
    backend.put(b'1', old)
    backend.remove(old)
    assert old.exists()
    AtomicBackend().put(b'2', new)  # another instance, as in MMEngine
    assert not old.exists()
    assert new.read_bytes() == b'2'


def test_a_file_written_again_is_kept(tmp_path):
    path = tmp_path / 'best'
    AtomicBackend().put(b'1', path)
    AtomicBackend().remove(path)
    AtomicBackend().put(b'2', path)
    assert path.read_bytes() == b'2'


def test_what_is_not_there_cannot_be_removed(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no file'):
        AtomicBackend().remove(tmp_path / 'gone')


def test_after_a_failed_write_another_run_removes_nothing_of_it(tmp_path):
    old = tmp_path / 'old'
    AtomicBackend().put(b'1', old)
    AtomicBackend().remove(old)
    full = OSError(errno.ENOSPC, 'No space left on device')
    with (
        mock.patch('gendd_mm.engine.atomic_backend.os.fsync', side_effect=full),
        pytest.raises(OSError, match='was not written'),
    ):
        AtomicBackend().put(b'2', tmp_path / 'new')
    AtomicBackend().put(b'3', tmp_path / 'of_another_run')
    assert old.read_bytes() == b'1'
