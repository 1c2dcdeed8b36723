"""A state that would fail at the first step, or change it in silence, is described."""

import copy
import math
import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.optim import CosineAnnealingLR, OptimWrapper
from torch import nn

from gendd_mm.engine.resume_state import state_faults


def run(optimizer: type = torch.optim.AdamW, **settings):
    """A runner after two steps, and the checkpoint that it would write."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 3))
    model[2].bias.requires_grad_(False)  # has no state
    groups = [{'params': list(part.parameters())} for part in model]
    optimizer = optimizer(groups, lr=0.01, **settings)
    schedule = CosineAnnealingLR(optimizer, T_max=5)
    for _ in range(2):
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
        schedule.step()
    wrapper = OptimWrapper(optimizer)
    runner = SimpleNamespace(optim_wrapper=wrapper, param_schedulers=[schedule], hooks=[])
    checkpoint = dict(optimizer=wrapper.state_dict(), param_schedulers=[schedule.state_dict()])
    return runner, copy.deepcopy(checkpoint)


@pytest.mark.parametrize(
    ('optimizer', 'settings'),
    [
        (torch.optim.AdamW, {}),
        (torch.optim.SGD, dict(momentum=0.9)),
        (torch.optim.SGD, {}),
        (torch.optim.Adafactor, {}),  # other statistics for matrices than for vectors
    ],
)
def test_what_a_run_wrote_is_good(optimizer, settings):
    runner, checkpoint = run(optimizer, **settings)
    assert state_faults(runner, checkpoint) == []


def test_groups_may_keep_different_statistics():
    runner, _ = run(torch.optim.SGD, momentum=0.9)
    optimizer = runner.optim_wrapper.optimizer
    optimizer.param_groups[2]['momentum'] = 0.0
    saved = copy.deepcopy(runner.optim_wrapper.state_dict())
    saved['state'][4]['momentum_buffer'] = None  # as SGD leaves it without momentum
    checkpoint = dict(optimizer=saved, param_schedulers=[runner.param_schedulers[0].state_dict()])
    assert state_faults(runner, checkpoint) == []


def test_a_switch_that_an_older_torch_did_not_have_may_be_missing():
    runner, checkpoint = run()
    for group in checkpoint['optimizer']['param_groups']:
        del group['decoupled_weight_decay']
    assert state_faults(runner, checkpoint) == []


@pytest.mark.parametrize(
    ('path', 'value', 'named'),
    [
        ('optimizer.param_groups.1.lr', None, 'param_groups.1.lr is None'),
        ('optimizer.param_groups.1.lr', '0.1', "param_groups.1.lr is '0.1'"),
        ('optimizer.param_groups.1.lr', math.nan, 'param_groups.1.lr is nan'),
        ('optimizer.param_groups.1.lr', True, 'param_groups.1.lr is True'),
        ('optimizer.param_groups.0.betas', (0.9,), 'betas has 1 entries, not 2'),
        ('optimizer.param_groups.0.params', [0], 'params has 1 entries, not 2'),
        ('optimizer.param_groups.2.eps', ..., 'param_groups.2.eps is missing'),
        ('optimizer.param_groups.0.fused', 'text', "fused is 'text'"),
        ('optimizer.param_groups.2', ..., 'param_groups has 2 entries, not 3'),
        ('optimizer.state.1.exp_avg', ..., 'optimizer.state.2 .* is not like that of 1'),
        ('optimizer.state.4.exp_avg', torch.zeros(3), 'optimizer.state.4 .*1 dimensions'),
        ('optimizer.state.3.step', None, 'optimizer.state.3 .*NoneType'),
        ('optimizer.base_param_settings.betas', ..., 'optimizer base.betas is missing'),
        ('param_schedulers.0.base_values.1', None, 'base_values.1 is None'),
        ('param_schedulers.0.by_epoch', 'yes', "by_epoch is 'yes'"),
        ('param_schedulers', ..., 'param_schedulers is None'),
    ],
)
def test_what_is_of_another_kind_is_named(path, value, named):
    runner, checkpoint = run()
    *way, last = (int(part) if part.isdigit() else part for part in path.split('.'))
    owner = checkpoint
    for part in way:
        owner = owner[part]
    if value is ...:
        del owner[last]
    else:
        owner[last] = value
    faults = state_faults(runner, checkpoint)
    assert any(re.search(named, fault) for fault in faults), faults


def test_a_lost_average_is_not_replaced_by_the_weights():
    runner, checkpoint = run()
    runner.hooks = [EMAHook()]
    assert 'no ema_state_dict' in state_faults(runner, checkpoint)[0]
    assert state_faults(runner, dict(checkpoint, ema_state_dict={})) == []


def test_a_test_has_no_such_state():
    runner, _ = run()
    runner.optim_wrapper = dict(type='OptimWrapper')
    assert state_faults(runner, {}) == []
