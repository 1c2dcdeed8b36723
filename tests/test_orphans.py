"""A launcher that is killed leaves no process behind, and the training saves first."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_models
from small_models import CONFIGS, ROOT


def descendants(pid: int) -> set[int]:
    """All processes below one; the kernel lists them by the thread that started them."""
    children = {
        int(word)
        for file in Path(f'/proc/{pid}/task').glob('*/children')
        for word in file.read_text().split()
    }
    return children.union(*(descendants(child) for child in children))


def wait_until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_running(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='reads /proc')
@pytest.mark.fault(
    'Interruptions',
    'SIGKILL to the launcher',
    'all processes save and end, workers of dataloaders too',
)
def test_a_killed_launcher_leaves_no_process(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    work_dir = tmp_path / 'work'
    job = subprocess.Popen(
        [
            *('bash', 'tools/dist_train.sh', str(CONFIGS / 'gendd_digits.py'), '2'),
            *('--work-dir', str(work_dir), '--no-validate', '--cfg-options'),
            f'model.teacher_ckpt={teacher}',
            'train_dataloader.num_workers=2',
            'default_hooks.logger.interval=1',
        ],
        cwd=ROOT,
        env=dict(os.environ, PYTHON=sys.executable, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
    )

    def has_begun() -> bool:
        assert job.poll() is None
        logs = (path.read_text() for path in work_dir.glob('*/*.log'))
        return any(re.search(r'Epoch\(train\)\s+\[1\]\[ *3/', log) for log in logs)

    wait_until(has_begun, 300)
    processes = descendants(job.pid)
    # 2 processes with 2 workers each.
    assert len(processes) >= 6
    job.kill()
    job.wait()
    wait_until(lambda: not any(map(is_running, processes)), 60)
    saved = Path((work_dir / 'last_checkpoint').read_text())
    assert re.fullmatch(r'iter_\d+\.pth', saved.name)
    assert saved.is_file()
