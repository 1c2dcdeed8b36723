"""Two stages, killed in both, by the same command: as never killed."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_models
import torch
from small_models import CONFIGS, ROOT

from gendd_mm.engine.options import RunOptions

CONFIG = str(CONFIGS / 'digits' / 'gendd_digits_two_stages.py')


@pytest.fixture
def teacher(tmp_path) -> str:
    return small_models.digits_teacher(tmp_path / 'teacher.pth')


def small(teacher: str, images: int, **more) -> dict:
    """Options for two epochs of a few steps in either stage."""
    settings = {
        'train_cfg.max_epochs': 2,
        'train_dataloader.batch_size': 16,
        'train_dataloader.dataset.indices': images,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 1,
        **more,
    }
    head = 'model.distiller.distill_losses.loss_gendd.head'
    return {
        **settings,
        **{f'stage1.{key}': value for key, value in settings.items()},
        'model.teacher_ckpt': teacher,
        'stage1.model.head.teacher_ckpt': teacher,
        f'{head}.denoiser.width': 32,
    }


def wait_for_the_second_epoch(folder: Path, is_running) -> None:
    """Until a run has logged the second step of it."""
    while is_running():
        logs = (path.read_text() for path in folder.glob('*/*.log'))
        if any(re.search(r'Epoch\(train\)\s+\[2\]\[ *2/', log) for log in logs):
            return
        time.sleep(0.05)
    pytest.fail(f'the run in {folder} ended too early')


def check_same(whole: Path, killed: Path) -> None:
    """Weights and moments of the optimizer, bit for bit, in both stages."""
    for name in ('stage1/epoch_2.pth', 'epoch_2.pth'):
        one, other = (torch.load(folder / name, weights_only=True) for folder in (whole, killed))
        assert one['state_dict'].keys() == other['state_dict'].keys()
        for key, value in one['state_dict'].items():
            assert value.equal(other['state_dict'][key]), (name, key)
        moments = [c['optimizer']['state'] for c in (one, other)]
        for index, state in moments[0].items():
            assert state['exp_avg'].equal(moments[1][index]['exp_avg'])


def test_killed_in_both_stages_is_as_never_killed(teacher, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    stage1 = killed / 'stage1'
    # Processes that have imported everything already.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['gendd_mm.engine.stages', 'mmpretrain.models', 'small_models'])
    pause = {'default_hooks.pause': dict(type='PauseHook')}

    def started(work_dir: Path, *more: str) -> multiprocessing.Process:
        options = RunOptions(
            work_dir=str(work_dir),
            validate=False,
            resume='auto',
            cfg_options=small(teacher, images=64, **pause),
        )
        process = context.Process(
            target=small_models.train_in_stages, args=(CONFIG, options, *more), daemon=True
        )
        process.start()
        return process

    def kill_in(folder: Path) -> None:
        process = started(killed, str(folder))
        wait_for_the_second_epoch(folder, process.is_alive)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    unbroken = started(whole)
    kill_in(stage1)
    assert not (stage1 / 'epoch_2.pth').exists()
    # What a kill while saving leaves, at worst.
    saved = (stage1 / 'epoch_1.pth').read_bytes()
    (stage1 / 'epoch_2.pth').write_bytes(saved[:-100])
    (stage1 / 'last_checkpoint').write_text('')
    kill_in(killed)
    # It went on from there; and the last one needs nothing of stage 1.
    assert (stage1 / 'epoch_1.pth').read_bytes() == saved
    stage1.rename(tmp_path / 'away')
    last = started(killed)
    for process in (last, unbroken):
        process.join()
        assert process.exitcode == 0
    (tmp_path / 'away').rename(stage1)
    check_same(whole, killed)


@pytest.mark.slow
def test_two_processes_killed_in_both_stages(teacher, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'

    def started(work_dir: Path) -> subprocess.Popen:
        options = small(teacher, images=1200)
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
        return subprocess.Popen(
            [
                'bash',
                'tools/dist_train.sh',
                CONFIG,
                '2',
                '--work-dir',
                str(work_dir),
                '--no-validate',
                '--resume',
                '--cfg-options',
                *(f'{key}={value}' for key, value in options.items()),
            ],
            env=dict(env, PYTHON=sys.executable),
            cwd=ROOT,
        )

    def kill_in(folder: Path) -> None:
        process = started(killed)
        wait_for_the_second_epoch(folder, lambda: process.poll() is None)
        for pid in [*children(process.pid), process.pid]:
            os.kill(pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    assert started(whole).wait(timeout=300) == 0
    kill_in(killed / 'stage1')
    kill_in(killed)
    assert started(killed).wait(timeout=300) == 0
    check_same(whole, killed)


def children(pid: int) -> list:
    """The processes that a process has started: torchrun its workers."""
    text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [int(word) for word in text.split()]
