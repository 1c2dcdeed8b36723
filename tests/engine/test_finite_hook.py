"""Nothing that is not finite is trained on in silence, or saved."""

import math
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import small_models
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from gendd_mm.engine.hooks import FiniteHook


@HOOKS.register_module(force=True)
class SpoilHook(Hook):
    """Make a weight, or the loss of a step, not finite."""

    priority = 'NORMAL'

    def __init__(self, iteration: int, what: str, value: float) -> None:
        self.iteration = iteration
        self.what = what
        self.value = value

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if runner.iter == self.iteration:
            if self.what == 'loss':
                outputs['loss'].fill_(self.value)
            elif self.what == 'weight':
                next(runner.model.parameters()).data.view(-1)[0] = self.value
            else:
                state = next(iter(runner.optim_wrapper.optimizer.state.values()))
                state['exp_avg_sq'].view(-1)[0] = self.value


@pytest.fixture
def cfg(tmp_path):
    """Three epochs of three iterations; the newest checkpoint alone is kept."""
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path / 'run', teacher)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
    return cfg


def saved(cfg) -> list[str]:
    return sorted(path.name for path in Path(cfg.work_dir).glob('*.pth'))


@pytest.mark.fault(
    'Numbers',
    'a loss is NaN or infinite',
    'the run stops at that step and names it; nothing is saved',
)
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(cfg, value):
    cfg.custom_hooks.append(dict(type='SpoilHook', iteration=4, what='loss', value=value))
    with pytest.raises(FloatingPointError, match=r"\{'loss': .*\} at iteration 4 \(epoch 1\)"):
        small_models.trained(cfg)
    assert saved(cfg) == ['epoch_1.pth']


@pytest.mark.fault(
    'Numbers',
    'a weight is not finite when it is to be saved',
    'the run stops; good checkpoints stay',
)
@pytest.mark.parametrize(
    ('what', 'named'), [('weight', 'architecture.backbone'), ('moment', 'exp_avg_sq')]
)
@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_checkpoint_is_never_written_with_them(cfg, what, named, by_epoch):
    iteration = 5  # the last of its epoch
    if not by_epoch:
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)
    cfg.custom_hooks.append(dict(type='SpoilHook', iteration=iteration, what=what, value=math.inf))
    with pytest.raises(FloatingPointError, match=f'{named}.* hold NaN or infinity at iteration'):
        small_models.trained(cfg)
    if what == 'weight':
        assert saved(cfg) == ['epoch_1.pth' if by_epoch else 'iter_3.pth']
    for name in saved(cfg):
        checkpoint = torch.load(f'{cfg.work_dir}/{name}', weights_only=True)
        assert all(value.isfinite().all() for value in checkpoint['state_dict'].values())


def test_a_gradient_clipped_from_nan_is_seen_before_the_best_is_saved(cfg):
    cfg.default_hooks.checkpoint.update(save_best='gen/top1', interval=10)
    cfg.custom_hooks.append(dict(type='SpoilHook', iteration=2, what='weight', value=math.nan))
    with pytest.raises(FloatingPointError, match='hold NaN'):
        small_models.trained(cfg)
    assert saved(cfg) == []


class Scaler:
    """A gradient scaler as the hook sees it."""

    def __init__(self, scales) -> None:
        self.scales = iter(scales)

    def get_scale(self) -> float:
        return next(self.scales)


@pytest.fixture
def scaled(monkeypatch):
    """A hook and a runner whose scaler has the scales that are given."""

    def make(max_skipped: int, scales):
        monkeypatch.setattr(
            'gendd_mm.engine.hooks.finite_hook._scaler', lambda wrapper: wrapper.loss_scaler
        )
        wrapper = SimpleNamespace(loss_scaler=Scaler(scales))
        return FiniteHook(max_skipped), SimpleNamespace(
            iter=7, epoch=0, optim_wrapper=wrapper, hooks=[]
        )

    return make


def test_steps_that_a_scaler_skips_are_no_error_until_there_are_many(scaled):
    halving = [2.0**-n for n in range(10)]
    hook, runner = scaled(3, halving)
    for _ in range(4):  # the first scale has none to compare with
        hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(1.0)))
    assert hook.skipped == 3
    with pytest.raises(FloatingPointError, match='skipped 4 steps in a row'):
        hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(1.0)))


@pytest.mark.fault(
    'Numbers',
    'mixed precision: the scaler skips steps',
    'no error for single ones; 50 in a row stop the run',
)
def test_a_good_step_starts_the_count_again(scaled):
    hook, runner = scaled(1, [8, 4, 4, 2, 2, 2, 2])
    for loss in (1.0, 1.0, 1.0, 1.0, 1.0, math.inf):
        hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(loss)))
    with pytest.raises(FloatingPointError, match="'loss': inf"):
        hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(math.inf)))


def test_the_limit_is_fifty_by_default():
    assert FiniteHook().max_skipped == 50
    with pytest.raises(ValueError, match='max_skipped=-1'):
        FiniteHook(-1)


def test_the_last_iteration_is_looked_at_though_it_is_no_multiple(cfg):
    """On every rank, where only one writes and would end alone."""
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=7)
    cfg.custom_hooks.append(dict(type='SpoilHook', iteration=8, what='weight', value=math.nan))
    with (
        mock.patch('mmengine.runner.Runner.save_checkpoint') as save,
        pytest.raises(FloatingPointError, match='at iteration 8'),
    ):
        small_models.trained(cfg)
    assert save.call_count == 1  # of iteration 7
