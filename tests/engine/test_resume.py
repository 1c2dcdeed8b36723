"""Stopping and going on gives what an unbroken run gives, bit for bit."""

import copy

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


class Stopped(Exception):
    pass


@HOOKS.register_module(force=True)
class StopHook(Hook):
    """Pull the plug before an iteration."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx: int, **kwargs) -> None:
        if runner.iter == self.iteration:
            raise Stopped


def assert_same(one, other, where: str = '') -> None:
    """Equal to the last bit, through any nesting."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert one.equal(other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other)):
            assert_same(*pair, f'{where}.{index}')
    else:
        assert one == other, where


def by_iteration(cfg: Config) -> None:
    """Nine iterations without epochs, as long as three epochs."""
    cfg.train_cfg = dict(by_epoch=False, max_iters=9, val_interval=2)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=4)
    cfg.log_processor = dict(by_epoch=False)
    for scheduler in cfg.param_scheduler:
        del scheduler['convert_to_iter_based']
        scheduler.update(by_epoch=False, begin=3 * scheduler.begin)
        scheduler.end *= 3


@pytest.fixture(scope='module', params=['epochs', 'iterations'])
def runs(request, tmp_path_factory):
    """Checkpoints of an unbroken run and of one stopped after two thirds.

    With mixup and feature mixup, which draw from the global generators like
    the augmentation of images, an EMA of the weights, and a validation after
    every epoch or two iterations.
    """
    folder = tmp_path_factory.mktemp('resume')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'unbroken', teacher)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    loss = cfg.model.distiller.distill_losses.loss_gendd
    loss.feature_mixup = dict(type='FeatureMixup', beta=1.0)
    cfg.model.architecture.data_preprocessor = cfg.pop('data_preprocessor')
    cfg.model.architecture.train_cfg = dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
    )
    last = 'epoch_3.pth'
    if request.param == 'iterations':
        by_iteration(cfg)
        last = 'iter_9.pth'
    unbroken = small_models.trained(copy.deepcopy(cfg))

    broken = copy.deepcopy(cfg)
    broken.work_dir = str(folder / 'broken')
    broken.experiment_name += 'b'
    stopped = copy.deepcopy(broken)
    stopped.custom_hooks.append(dict(type='StopHook', iteration=6))
    with pytest.raises(Stopped):
        small_models.trained(stopped)
    broken.resume = True
    broken.experiment_name += 'b'
    resumed = small_models.trained(broken)
    assert resumed.iter == unbroken.iter == 9
    return [torch.load(folder / name / last, weights_only=True) for name in ('unbroken', 'broken')]


@pytest.mark.parametrize('part', ['state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'])
def test_a_resumed_run_is_the_unbroken_one(runs, part):
    unbroken, resumed = runs
    assert_same(unbroken[part], resumed[part], part)


def test_beta2_has_arrived(runs):
    for checkpoint in runs:
        for group in checkpoint['optimizer']['param_groups']:
            assert group['betas'][1] == pytest.approx(0.999)


@pytest.mark.parametrize('part', ['state_dict', 'ema_state_dict'])
def test_checkpoints_hold_no_teacher(runs, part):
    keys = [key for checkpoint in runs for key in checkpoint[part]]
    assert keys
    assert not any('teacher' in key for key in keys)
    roots = {key.removeprefix('module.').split('.')[0] for key in keys}
    assert roots <= {'architecture', 'distiller', 'steps'}


def test_the_ema_is_an_average_of_the_student_and_the_head(runs):
    state, ema = runs[0]['state_dict'], runs[0]['ema_state_dict']
    # The hook swaps them when it saves: what is evaluated is the average.
    moved = [
        key
        for key in state
        if state[key].is_floating_point() and not state[key].equal(ema[f'module.{key}'])
    ]
    assert any(key.startswith('architecture.backbone') for key in moved)
    assert any(key.startswith('distiller') for key in moved)


def test_the_optimizer_holds_student_and_head_alone(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, teacher)
    runner = small_models.runner_of(cfg)
    optimizer = runner.build_optim_wrapper(cfg.optim_wrapper).optimizer
    held = [p for group in optimizer.param_groups for p in group['params']]
    assert {id(p) for p in held} == {id(p) for p in runner.model.parameters()}
    assert not {id(p) for p in held} & {id(p) for p in runner.model.teacher.model.parameters()}
    head = {id(p) for p in runner.model.distiller.parameters()}
    for group in optimizer.param_groups:
        for parameter in group['params']:
            decayed = group['weight_decay'] > 0
            assert decayed == (id(parameter) not in head)
