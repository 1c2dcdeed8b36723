"""CosineAnnealingBeta2: its formula, resuming, and its neighbours."""

import math

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.optim.scheduler import CosineAnnealingMomentum
from mmengine.registry import PARAM_SCHEDULERS

from gendd_mm.engine import CosineAnnealingBeta2


def make_optimizer(*beta2s: float) -> torch.optim.AdamW:
    """One parameter group for each beta2."""
    return torch.optim.AdamW(
        [
            dict(params=[torch.nn.Parameter(torch.ones(2))], betas=(0.9, beta2))
            for beta2 in beta2s or (0.96,)
        ]
    )


def beta2s(optimizer) -> list:
    return [group['betas'][1] for group in optimizer.param_groups]


def advance(optimizer, *schedulers) -> None:
    optimizer.step()
    for scheduler in schedulers:
        scheduler.step()


def test_every_step_follows_the_formula():
    optimizer, steps = make_optimizer(0.96), 7
    scheduler = CosineAnnealingBeta2(optimizer, end=steps, by_epoch=False)
    for s in range(steps):
        expected = 0.999 - (0.999 - 0.96) / 2 * (1 + math.cos(math.pi * s / (steps - 1)))
        assert beta2s(optimizer) == [pytest.approx(expected, abs=1e-12)]
        advance(optimizer, scheduler)


def test_it_starts_at_the_optimizers_ends_at_the_final_and_stays():
    optimizer = make_optimizer(0.95)
    scheduler = CosineAnnealingBeta2(optimizer, final_beta2=0.99, end=5)
    seen = []
    for _ in range(8):
        seen += beta2s(optimizer)
        advance(optimizer, scheduler)
    assert seen[0] == 0.95
    assert seen[2] == pytest.approx((0.95 + 0.99) / 2)
    assert seen[4:] == 4 * [0.99]
    assert seen[:5] == sorted(seen[:5])


def test_every_group_rises_from_its_own_and_keeps_beta1():
    optimizer = make_optimizer(0.9, 0.95)
    scheduler = CosineAnnealingBeta2(optimizer, end=3)
    assert beta2s(optimizer) == [0.9, 0.95]
    advance(optimizer, scheduler)
    assert beta2s(optimizer) == pytest.approx([0.9495, 0.9745])
    advance(optimizer, scheduler)
    assert beta2s(optimizer) == [0.999, 0.999]
    assert {group['betas'][0] for group in optimizer.param_groups} == {0.9}


def test_it_waits_for_its_begin():
    optimizer = make_optimizer(0.96)
    scheduler = CosineAnnealingBeta2(optimizer, begin=2, end=5)
    seen = []
    for _ in range(5):
        seen += beta2s(optimizer)
        advance(optimizer, scheduler)
    assert seen == pytest.approx([0.96, 0.96, 0.96, 0.9795, 0.999])


def test_a_run_of_one_step_keeps_the_optimizers():
    optimizer = make_optimizer(0.96)
    CosineAnnealingBeta2(optimizer, end=1)
    assert beta2s(optimizer) == [0.96]


def test_adam_uses_the_scheduled_value():
    """The second moment after one step is (1 - beta2) grad^2."""
    optimizer = make_optimizer(0.96)
    scheduler = CosineAnnealingBeta2(optimizer, end=2)
    parameter = optimizer.param_groups[0]['params'][0]
    advance(optimizer, scheduler)  # nothing has a gradient yet
    parameter.grad = torch.full((2,), 3.0)
    optimizer.step()
    torch.testing.assert_close(
        optimizer.state[parameter]['exp_avg_sq'], torch.full((2,), (1 - 0.999) * 9)
    )


def test_epochs_become_iterations():
    optimizer = make_optimizer(0.96)
    scheduler = CosineAnnealingBeta2.build_iter_from_epoch(
        optimizer, begin=1, end=3, by_epoch=True, epoch_length=10
    )
    assert (scheduler.begin, scheduler.end) == (10, 30)
    assert not scheduler.by_epoch
    for _ in range(29):
        assert beta2s(optimizer)[0] < 0.999
        advance(optimizer, scheduler)
    assert beta2s(optimizer) == [0.999]


def test_resuming_gives_the_same_values_bit_for_bit(tmp_path):

    def start():
        optimizer = make_optimizer(0.95, 0.96)
        return optimizer, CosineAnnealingBeta2(optimizer, end=9)

    optimizer, scheduler = start()
    for _ in range(4):
        advance(optimizer, scheduler)
    torch.save((optimizer.state_dict(), scheduler.state_dict()), tmp_path / 'state.pth')

    resumed, resumed_scheduler = start()
    saved = torch.load(tmp_path / 'state.pth')
    resumed.load_state_dict(saved[0])
    resumed_scheduler.load_state_dict(saved[1])
    for _ in range(6):
        assert beta2s(resumed) == beta2s(optimizer)
        advance(optimizer, scheduler)
        advance(resumed, resumed_scheduler)
    assert beta2s(resumed) == [0.999, 0.999]


def test_resuming_by_last_step_goes_on_and_stays_at_the_end():
    optimizer = make_optimizer(0.96)
    CosineAnnealingBeta2(optimizer, end=5)
    scheduler = CosineAnnealingBeta2(optimizer, end=5, last_step=2)
    expected = 0.999 - 0.0195 * (1 + math.cos(math.pi * 3 / 4))
    assert beta2s(optimizer) == [pytest.approx(expected)]
    for _ in range(4):
        advance(optimizer, scheduler)
        assert beta2s(optimizer) == [0.999]


def test_lr_and_momentum_schedulers_beside_it_change_nothing():
    builders = [
        lambda optimizer: LinearLR(optimizer, start_factor=0.1, end=3),
        lambda optimizer: CosineAnnealingLR(optimizer, T_max=7, begin=3),
        lambda optimizer: CosineAnnealingMomentum(optimizer, T_max=10),
        lambda optimizer: CosineAnnealingBeta2(optimizer, end=10),
    ]

    def course(*builders) -> list:
        optimizer = make_optimizer(0.96)
        schedulers = [build(optimizer) for build in builders]
        seen = []
        for _ in range(12):
            group = optimizer.param_groups[0]
            seen.append((group['lr'], *group['betas']))
            advance(optimizer, *schedulers)
        return list(zip(*seen))

    lr, beta1, beta2 = course(*builders)
    assert (lr, beta1, beta2) == tuple(course(*builders[::-1]))
    assert lr == course(*builders[:2])[0]
    assert beta1 == course(builders[2])[1]
    assert beta2 == course(builders[3])[2]


def test_an_optimizer_wrapper_is_an_optimizer():
    wrapper = OptimWrapper(make_optimizer(0.96))
    scheduler = CosineAnnealingBeta2(wrapper, end=2)
    advance(wrapper, scheduler)
    assert beta2s(wrapper) == [0.999]


def test_an_optimizer_without_betas_is_an_error():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ValueError, match='has no betas; use AdamW'):
        CosineAnnealingBeta2(optimizer, end=5)


def test_values_that_cannot_be_are_errors():
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match=r'final_beta2=1.0 .*\[0, 1\)'):
        CosineAnnealingBeta2(optimizer, final_beta2=1.0, end=5)
    with pytest.raises(ValueError, match='set end to its length'):
        CosineAnnealingBeta2(optimizer)
    with pytest.raises(ValueError, match='by_epoch=False'):
        CosineAnnealingBeta2.build_iter_from_epoch(
            optimizer, end=5, by_epoch=False, epoch_length=10
        )
    with pytest.raises(ValueError, match='epoch_length=0'):
        CosineAnnealingBeta2.build_iter_from_epoch(optimizer, end=5)


def test_builds_in_other_projects(build):
    scheduler = build(
        PARAM_SCHEDULERS, type='gendd_mm.CosineAnnealingBeta2', optimizer=make_optimizer(), end=5
    )
    assert isinstance(scheduler, CosineAnnealingBeta2)
