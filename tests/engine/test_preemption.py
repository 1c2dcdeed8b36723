"""A signal stops a run at a step; resumed, it is the unbroken run, bit for bit."""

import copy
import os
import re
import signal
import subprocess
import sys

import pytest
import small_models
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from gendd_mm.engine.stop_signals import STOP_SIGNALS


@HOOKS.register_module(force=True)
class SignalHook(Hook):
    """Send this process a signal in the middle of a step."""

    def __init__(self, iteration: int, name: str) -> None:
        self.iteration, self.name = iteration, name

    def before_train_iter(self, runner, batch_idx: int, **kwargs) -> None:
        if runner.iter == self.iteration:
            os.kill(os.getpid(), getattr(signal, self.name))


@HOOKS.register_module(force=True)
class ScoresHook(Hook):
    """Keep the scores of each validation, by iteration."""

    scores: dict

    def after_val_epoch(self, runner, metrics: dict) -> None:
        self.scores[runner.iter] = metrics


def by_iteration(cfg) -> None:
    cfg.train_cfg = dict(by_epoch=False, max_iters=9, val_interval=2)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=4)
    cfg.log_processor = dict(by_epoch=False)
    for scheduler in cfg.param_scheduler:
        del scheduler['convert_to_iter_based']
        scheduler.update(by_epoch=False, begin=3 * scheduler.begin)
        scheduler.end *= 3


@pytest.fixture(autouse=True)
def no_signal_yet():
    yield
    STOP_SIGNALS.restore()
    STOP_SIGNALS.received = None


@pytest.mark.parametrize(
    ('kind', 'iteration', 'name', 'status'),
    [
        ('epochs', 4, 'SIGTERM', 75),
        ('epochs', 5, 'SIGUSR1', 75),  # at the end of an epoch, before its work
        ('epochs', 1, 'SIGINT', 130),
        ('iterations', 4, 'SIGTERM', 75),
        ('iterations', 5, 'SIGTERM', 75),  # just before a validation
    ],
)
@pytest.mark.fault(
    'Interruptions',
    'SIGTERM, SIGUSR1 or Ctrl-C at any step',
    'saved at that step, exit status 75 (130 after Ctrl-C); resumed bit for bit',
)
def test_a_signal_loses_nothing(kind, iteration, name, status, tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path / 'unbroken', teacher)
    cfg.custom_hooks += [dict(type='EMAHook', momentum=0.1), dict(type='ScoresHook')]
    cfg.default_hooks.checkpoint.save_best = 'probe/top1'
    last = 'epoch_3.pth'
    if kind == 'iterations':
        by_iteration(cfg)
        last = 'iter_9.pth'
    scores = ScoresHook.scores = {}
    small_models.trained(copy.deepcopy(cfg))

    ScoresHook.scores = {}
    broken = copy.deepcopy(cfg)
    broken.work_dir = str(tmp_path / 'broken')
    broken.experiment_name += 'b'
    stopped = copy.deepcopy(broken)
    stopped.custom_hooks.append(dict(type='SignalHook', iteration=iteration, name=name))
    with pytest.raises(SystemExit) as ended:
        small_models.trained(stopped)
    assert ended.value.code == status
    interim = tmp_path / 'broken' / f'iter_{iteration + 1}.pth'
    assert (tmp_path / 'broken' / 'last_checkpoint').read_text() == str(interim)
    STOP_SIGNALS.restore()
    STOP_SIGNALS.received = None

    broken.resume = True
    broken.experiment_name += 'b'
    assert small_models.trained(broken).iter == 9
    assert not interim.exists()
    one, other = (
        torch.load(tmp_path / n / last, weights_only=True) for n in ('unbroken', 'broken')
    )
    for part in ('state_dict', 'ema_state_dict'):
        for key, value in one[part].items():
            assert value.equal(other[part][key]), (part, key)
    assert one['param_schedulers'] == other['param_schedulers']
    assert ScoresHook.scores == scores
    best = [sorted(p.name for p in (tmp_path / n).glob('best_*')) for n in ('unbroken', 'broken')]
    assert best[0] == best[1]
    assert len(best[0]) == 1


@pytest.mark.fault(
    'Disk',
    'the disk is full while a checkpoint is written',
    'an error names the file, its size and the space; no partial file, older ones whole',
)
def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    code = (
        'import resource, signal; from gendd_mm.engine import AtomicBackend\n'
        'signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n'
        f'AtomicBackend().put(bytes(2_000_000), {str(tmp_path / "epoch_2.pth")!r})\n'
    )
    (tmp_path / 'epoch_2.pth').write_bytes(b'older')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert re.search(r'epoch_2\.pth was not written.* needs 2\.0 MB.*free.*--resume', done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ['epoch_2.pth']
    assert (tmp_path / 'epoch_2.pth').read_bytes() == b'older'
