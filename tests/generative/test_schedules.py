"""Noise schedules: formulas, respacing, and the ones of diffusers."""

import itertools
import math

import pytest
import torch
from diffusers import DDPMScheduler

from gendd_mm.generative.schedules import (
    NoiseSchedule,
    cosine_betas,
    linear_betas,
    spaced_timesteps,
)


def test_cosine_betas_follow_the_formula():

    def alpha_bar(s):
        return math.cos((s + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = cosine_betas(50)
    assert betas.dtype == torch.float64
    for i, beta in enumerate(betas.tolist()):
        expected = 1 - alpha_bar((i + 1) / 50) / alpha_bar(i / 50)
        assert beta == pytest.approx(min(expected, 0.999), rel=1e-12)


def test_only_the_last_cosine_beta_is_capped():
    betas = cosine_betas(1000)
    assert betas[-1] == 0.999
    assert (betas[:-1] < 0.999).all()
    assert (cosine_betas(1000, max_beta=0.5) <= 0.5).all()


def test_cosine_tables_equal_those_of_diffusers(scheduler):
    schedule = NoiseSchedule(cosine_betas(1000))
    torch.testing.assert_close(schedule.betas, scheduler.betas)
    torch.testing.assert_close(schedule.alpha_bar, scheduler.alphas_cumprod)


def test_linear_betas_equal_those_of_diffusers():
    scheduler = DDPMScheduler(1000, beta_schedule='linear')
    torch.testing.assert_close(linear_betas(1000).float(), scheduler.betas, rtol=1e-6, atol=0)


def test_linear_schedule_ends_as_noisy_with_fewer_steps():
    ends = [NoiseSchedule(linear_betas(n)).alpha_bar[-1] for n in (200, 1000)]
    torch.testing.assert_close(ends[0].log(), ends[1].log(), rtol=0.1, atol=0)


def test_linear_schedule_refuses_a_beta_of_one():
    assert linear_betas(21).max() < 1
    with pytest.raises(ValueError, match='num_timesteps=20 .* use 21 or more'):
        linear_betas(20)


def test_alpha_bar_is_the_product_of_what_each_step_leaves():
    schedule = NoiseSchedule(torch.tensor([0.5, 0.2, 0.1]).double())
    expected = torch.tensor([0.5, 0.4, 0.36]).double()
    torch.testing.assert_close(schedule.alpha_bar, expected)


def test_posterior_variance_is_that_of_the_product_of_gaussians():
    # x_{t-1} has precision 1 / (1 - abar_{t-1}) from x_0, and
    # (1 - beta) / beta from x_t.
    schedule = NoiseSchedule(cosine_betas(30))
    beta, before = schedule.betas[1:], schedule.alpha_bar[:-1]
    precision = 1 / (1 - before) + (1 - beta) / beta
    torch.testing.assert_close(schedule.posterior_log_variance[1:], -precision.log())


def test_posterior_variance_of_step_0_is_that_of_step_1():
    variance = NoiseSchedule(cosine_betas(30)).posterior_log_variance
    assert variance[0] == variance[1]


def test_a_schedule_of_one_step_has_the_variance_beta():
    schedule = NoiseSchedule(torch.tensor([0.3]).double())
    assert schedule.posterior_log_variance.exp() == pytest.approx(0.3)


def test_respacing_keeps_alpha_bar_at_the_kept_steps():
    schedule = NoiseSchedule(cosine_betas(1000))
    for start_t in (950, 999):
        steps = spaced_timesteps(17, start_t)
        respaced = schedule.respace(steps)
        assert len(respaced) == 17
        torch.testing.assert_close(respaced.alpha_bar, schedule.alpha_bar[steps], rtol=1e-9, atol=0)


def test_respacing_to_all_steps_changes_nothing():
    schedule = NoiseSchedule(cosine_betas(1000))
    torch.testing.assert_close(
        schedule.respace(range(1000)).betas, schedule.betas, rtol=1e-9, atol=0
    )


def test_spaced_steps_include_both_ends_and_never_repeat():
    for start_t in (1, 10, 63):
        for count in range(2, start_t + 2):
            steps = spaced_timesteps(count, start_t)
            assert len(steps) == count
            assert (steps[0], steps[-1]) == (0, start_t)
            assert all(a < b for a, b in itertools.pairwise(steps))


def test_a_single_spaced_step_is_the_noisiest():
    assert spaced_timesteps(1, 950) == [950]


@pytest.mark.parametrize('count', [64, 100, 999, 1000])
def test_spaced_steps_of_the_paper_equal_those_of_diffusers(count):
    scheduler = DDPMScheduler(1000, timestep_spacing='linspace')
    scheduler.set_timesteps(count)
    assert spaced_timesteps(count, 999) == scheduler.timesteps.tolist()[::-1]


@pytest.mark.parametrize('count', [0, -1, 12])
def test_impossible_spacing_is_an_error(count):
    with pytest.raises(ValueError, match=f'num_steps={count} .*1 to 11'):
        spaced_timesteps(count, 10)
