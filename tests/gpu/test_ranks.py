"""Several GPUs by NCCL, and one, train as one process does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from train_on_ranks import BATCH, trained

STEPS = 3


@pytest.mark.parametrize('processes', ['one', 'all'])
def test_ranks_train_as_one_process(device, processes, tmp_path):
    count = 1
    if processes == 'all':
        count = torch.cuda.device_count() if device.type == 'cuda' else 2
        while BATCH % count:
            count -= 1
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            f'--nproc-per-node={count}',
            str(Path(__file__).with_name('train_on_ranks.py')),
            device.type,
            str(STEPS),
            str(tmp_path / 'state'),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alone, start = trained(device, STEPS), trained(device, 0)
    for rank in range(count):
        state = torch.load(tmp_path / f'state.{rank}', weights_only=True)
        for name, value in alone.items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5, msg=name)
    assert not all(value.equal(start[name]) for name, value in alone.items())
