"""Merged groups learn the same, and take what was saved before."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from gendd_mm.engine.grouped_parameters import group_parameters

KEYS = {'1.': dict(decay_mult=0.0), '2.bias': dict(lr_mult=0.5)}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))


def wrapper_of(net: nn.Module, grouped: bool, keys=KEYS):
    cfg = dict(
        optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1),
        paramwise_cfg=dict(custom_keys=keys),
    )
    if grouped:
        group_parameters(cfg)
    return build_optim_wrapper(net, cfg)


def steps(net: nn.Module, wrapper, count: int) -> None:
    data = torch.randn(count, 5, 3, generator=torch.Generator().manual_seed(1))
    for batch in data:
        wrapper.update_params(net(batch).square().mean())


@pytest.mark.parametrize(
    ('keys', 'groups'),
    [
        (KEYS, 3),
        ({'1.': dict(decay_mult=0.0), '2.': dict(decay_mult=0.5)}, 3),
        ({'1.': dict(lr_mult=0.5), '2.': dict(lr_mult=0.5)}, 2),
    ],
)
def test_what_is_learned_is_the_same(keys, groups):
    nets = [model(), model()]
    wrappers = [
        wrapper_of(net, grouped, keys) for net, grouped in zip(nets, (False, True), strict=True)
    ]
    assert [len(wrapper.optimizer.param_groups) for wrapper in wrappers] == [6, groups]
    for net, wrapper in zip(nets, wrappers, strict=True):
        steps(net, wrapper, 4)
    for single, merged in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(single, merged)


def test_an_optimizer_with_a_group_for_each_parameter_goes_on():
    keys = {'1.': dict(decay_mult=0.0)}
    old = model()
    singles = wrapper_of(old, False, keys)
    steps(old, singles, 3)
    new = copy.deepcopy(old)
    merged = wrapper_of(new, True, keys)
    merged.load_state_dict(copy.deepcopy(singles.state_dict()))
    steps(old, singles, 2)
    steps(new, merged, 2)
    for one, two in zip(old.parameters(), new.parameters(), strict=True):
        assert torch.equal(one, two)
    again = wrapper_of(new, True, keys)
    again.load_state_dict(merged.state_dict())  # its own layout
    state = again.optimizer.state[new[1].bias]
    assert torch.equal(state['exp_avg'], singles.optimizer.state[old[1].bias]['exp_avg'])


def test_groups_of_several_learning_rates_are_not_merged_behind_a_schedule():
    net = model()
    with pytest.raises(ValueError, match=r'\[0.05, 0.1\].*constructor=DefaultOptimWrapper'):
        wrapper_of(net, True).load_state_dict(wrapper_of(net, False).state_dict())


def test_a_constructor_that_a_config_names_stays():
    wrapper = dict(constructor='Own', paramwise_cfg={})
    group_parameters(wrapper)
    group_parameters(None)
    assert wrapper['constructor'] == 'Own'
