"""A work dir belongs to one run, and can be written to."""

import errno
import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from two_ranks import on_two_ranks

from gendd_mm.engine.work_dir import claimed

FORK = multiprocessing.get_context('fork')


def claim(work_dir) -> str:
    with claimed(str(work_dir)):
        return 'claimed'


def hold(work_dir, claims) -> None:
    """A run with a worker process, as of a dataloader."""
    with claimed(str(work_dir)):
        worker = FORK.Process(target=time.sleep, args=(60,))
        worker.start()
        claims.send(worker.pid)
        time.sleep(60)


@pytest.fixture
def other_run(tmp_path):
    """Another run in ``tmp_path``, and its worker; both are killed at the end."""
    receiver, sender = FORK.Pipe(duplex=False)
    run = FORK.Process(target=hold, args=(tmp_path, sender))
    run.start()
    assert receiver.poll(30)
    worker = receiver.recv()
    yield run
    run.kill()
    run.join()
    os.kill(worker, signal.SIGKILL)


@pytest.mark.fault(
    'Disk', 'a second run in the same work dir', 'refused at once; process and machine are named'
)
def test_a_second_run_is_refused(other_run, tmp_path):
    with pytest.raises(ValueError, match='in use by another run') as error:
        claim(tmp_path)
    named = (str(tmp_path), f'process {other_run.pid} on {socket.gethostname()}', '--work-dir')
    assert all(text in str(error.value) for text in named)
    assert claim(tmp_path / 'another') == 'claimed'
    # On every rank, although only the first looks.
    first, second = on_two_ranks(claim, tmp_path)
    assert 'in use by another run' in first
    assert 'in use by another run' in second


@pytest.mark.fault('Disk', 'a run was killed and its worker still lives', 'the work dir is free')
def test_a_killed_run_holds_nothing(other_run, tmp_path):
    other_run.kill()
    other_run.join()
    assert claim(tmp_path) == 'claimed'


def test_a_claim_ends_with_its_block(tmp_path):
    assert claim(tmp_path) == 'claimed'
    with pytest.raises(SystemExit), claimed(str(tmp_path)):
        raise SystemExit(75)
    assert claim(tmp_path) == 'claimed'
    assert os.listdir(tmp_path) == ['.lock']
    assert on_two_ranks(claim, tmp_path) == ['claimed'] * 2


def test_an_owner_that_wrote_no_name_is_refused_too(other_run, tmp_path):
    (tmp_path / '.lock.owner').unlink()
    with pytest.raises(ValueError, match='another run .of an unknown process.'):
        claim(tmp_path)


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS])
def test_storage_without_locks_is_no_reason_not_to_train(tmp_path, monkeypatch, number):
    said = []
    monkeypatch.setattr(
        'gendd_mm.engine.work_dir.print_log', lambda text, **kwargs: said.append((text, kwargs))
    )

    def no_locks(file: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    # Nothing is left that would keep out the next run, if this one is killed.
    with claimed(str(tmp_path)):
        assert claim(tmp_path) == 'claimed'
    text, kwargs = said[0]
    assert f'{tmp_path}/.lock cannot be locked ({os.strerror(number)})' in text
    assert kwargs['level'] == logging.WARNING


@pytest.mark.fault(
    'Disk', 'a work dir that cannot be made or written to', 'refused before anything is built'
)
@pytest.mark.parametrize(
    ('work_dir', 'reason'),
    [
        ('a_file', 'File exists'),
        ('a_file/run', 'Not a directory'),
        ('/proc/self/fd', ''),
        ('/proc/nowhere/run', '/proc/nowhere'),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch, work_dir, reason):
    monkeypatch.chdir(tmp_path)
    Path('a_file').write_text('precious')
    with pytest.raises(ValueError, match=f'work_dir={work_dir!r} cannot be written') as error:
        claim(work_dir)
    assert reason in str(error.value)
    assert 'by --work-dir' in str(error.value)
    assert Path('a_file').read_text() == 'precious'
    refused = on_two_ranks(claim, f'/proc/self/cwd/{work_dir}', folders=[tmp_path, tmp_path])
    if work_dir.startswith('a_file'):
        assert all('rank 1 on ' in found for found in refused)
