"""Signals reach the processes of a launcher, and their answer its caller."""

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gendd_mm.engine import stop_signals

TORCHRUN = Path(__file__).resolve().parent.parent / 'tools' / 'torchrun.py'

# A training in little: it saves for longer than a moment, then ends with its answer.
TRAINING = """
import os, signal, sys, time
def save(number, frame):
    for ignored in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    time.sleep(0.5)
    open('saved_' + os.environ['RANK'], 'w').close()
    sys.exit(130 if number == signal.SIGINT else 75)
if sys.argv[1] == 'listen':
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, save)
if sys.argv[1] == 'twice':
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(
        number, lambda number, frame: os._exit(128 + number)))
with open('pid_' + os.environ['RANK'], 'w') as file:
    file.write(str(os.getpid()))
if sys.argv[1] == 'fail':
    time.sleep(0.2)
    sys.exit(3)
time.sleep(60)
"""


@pytest.fixture
def launched(tmp_path):
    """Start two processes under the launcher, in a group of their own."""
    (tmp_path / 'training.py').write_text(TRAINING)
    jobs = []

    def launch(how: str) -> subprocess.Popen:
        jobs.append(
            subprocess.Popen(
                [sys.executable, str(TORCHRUN), '--nproc-per-node=2', 'training.py', how],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return jobs[-1]

    yield launch
    for job in jobs:
        if job.poll() is None:
            job.kill()


def pids(folder: Path) -> list[int]:
    """The training processes, once both have begun."""
    files = [folder / f'pid_{rank}' for rank in (0, 1)]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        texts = [file.read_text() for file in files if file.exists()]
        if len(texts) == 2 and all(texts):
            return [int(text) for text in texts]
        time.sleep(0.05)
    pytest.fail('the processes did not start')


@pytest.mark.parametrize(
    ('name', 'to', 'status'),
    [
        ('SIGTERM', 'launcher', 75),
        pytest.param('SIGUSR1', 'group', 75, marks=pytest.mark.slow),
        ('SIGINT', 'group', 130),
        pytest.param('SIGTERM', 'worker', 75, marks=pytest.mark.slow),
        pytest.param('SIGUSR1', 'all', 75, marks=pytest.mark.slow),
    ],
)
@pytest.mark.fault(
    'Interruptions',
    'SIGTERM, SIGUSR1 or Ctrl-C to the launcher, to its group or to one process',
    'all processes save, however long that takes; the launcher ends with 75 or 130',
)
def test_a_signal_is_answered_by_all(name, to, status, launched, tmp_path):
    number = getattr(signal, name)
    job = launched('listen')
    workers = pids(tmp_path)
    time.sleep(0.2)  # the launcher listens right after it has started them
    if to == 'group':
        os.killpg(job.pid, number)
    if to in ('worker', 'all'):
        os.kill(workers[0], number)
    if to in ('launcher', 'all'):
        os.kill(job.pid, number)
    _, said = job.communicate(timeout=60)
    assert job.returncode == status, said
    assert {path.name for path in tmp_path.glob('saved_*')} == {'saved_0', 'saved_1'}
    assert 'Traceback' not in said
    assert '--resume' in said


@pytest.mark.slow
def test_a_second_signal_ends_the_processes(launched, tmp_path):
    job = launched('twice')
    pids(tmp_path)
    time.sleep(0.2)
    os.kill(job.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert job.poll() is None
    os.kill(job.pid, signal.SIGTERM)
    job.communicate(timeout=60)
    assert job.returncode == 128 + signal.SIGTERM


def test_before_the_training_nothing_is_lost(launched, tmp_path):
    job = launched('deaf')
    pids(tmp_path)
    time.sleep(0.2)
    os.kill(job.pid, signal.SIGUSR1)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 75, said


def test_a_failure_is_told_without_a_traceback(launched):
    job = launched('fail')
    _, said = job.communicate(timeout=60)
    assert job.returncode == 1
    assert 'exitcode  : 3' in said
    assert 'Traceback' not in said


def test_launcher_and_training_mean_the_same():
    launcher = runpy.run_path(str(TORCHRUN))
    assert launcher['GO_ON'] == stop_signals.GO_ON
    assert launcher['INTERRUPTED'] == stop_signals.INTERRUPTED
    assert launcher['LAUNCHER_VARIABLE'] == stop_signals.LAUNCHER_VARIABLE
    assert launcher['SAME_REQUEST_S'] == stop_signals.SAME_REQUEST_S


def test_a_signal_while_torch_is_imported_just_ends_the_launcher(monkeypatch):
    relay = runpy.run_path(str(TORCHRUN))['Relay']()
    monkeypatch.setitem(sys.modules, 'torch.distributed.elastic.multiprocessing', None)
    with pytest.raises(SystemExit) as ended:
        relay._receive(signal.SIGTERM, None)
    assert ended.value.code == stop_signals.GO_ON
