"""Guidance, and ancestral sampling against laws and diffusers."""

import math
from unittest import mock

import pytest
import torch

from gendd_mm.diffusion import AncestralSampler, GaussianDiffusion, guide


@pytest.fixture
def process():
    return GaussianDiffusion()


def smooth_network(x, t):
    """Some smooth function of noisy token and step, as a denoiser."""
    estimate = torch.sin(x + t / 300) + 0.9 * x
    return torch.cat([estimate, torch.cos(3 * x - t / 100)], dim=1)


def test_guidance_1_is_the_conditional_output_exactly():
    conditional = torch.randn(5, 6)
    assert guide(conditional, torch.randn(5, 3), 1.).equal(conditional)


def test_guidance_0_is_the_unconditional_estimate_exactly():
    unconditional = torch.randn(5, 3)
    guided = guide(torch.randn(5, 6), unconditional, 0.)
    assert guided[:, :3].equal(unconditional)


@pytest.mark.parametrize('scale', [0.3, 2., 4.])
def test_guidance_moves_the_estimate_and_keeps_the_variance(scale):
    conditional, null = torch.randn(5, 6).double(), torch.randn(5, 3).double()
    guided = guide(conditional, null, scale)
    torch.testing.assert_close(guided[:, :3],
                               null + scale * (conditional[:, :3] - null))
    assert guided[:, 3:].equal(conditional[:, 3:])


@pytest.mark.parametrize('t', [1, 2, 37, 500, 999])
def test_a_reverse_step_equals_that_of_diffusers(process, scheduler, t):
    """Mean (the added noise zero) and standard deviation (it is one)."""
    x, output = torch.randn(3, 4).double(), torch.randn(3, 8).double()

    def ours(noise):
        seen = []

        def denoise(x, step):
            seen.append(x)
            return output

        with mock.patch.object(torch, 'randn', lambda *_, **__: noise):
            AncestralSampler(t + 1, start_t=t)(process, denoise, x)
        return seen[1]

    def theirs(noise):
        with mock.patch('diffusers.schedulers.scheduling_ddpm.randn_tensor',
                        lambda *_, **__: noise):
            return scheduler.step(output, t, x).prev_sample

    for noise in (torch.zeros(3, 4).double(), torch.ones(3, 4).double()):
        torch.testing.assert_close(
            ours(noise), theirs(noise), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('num_steps, start_t', [(1000, 999), (64, 999),
                                                (100, 999), (64, 950)])
def test_the_respaced_chain_equals_that_of_diffusers(process, scheduler,
                                                     num_steps, start_t):
    sampler = AncestralSampler(num_steps, start_t)
    scheduler.set_timesteps(timesteps=sampler.steps[::-1])
    noise = torch.randn(3, 4).double()
    ours = sampler(process, smooth_network, noise,
                   torch.Generator().manual_seed(1))

    theirs, generator = noise, torch.Generator().manual_seed(1)
    for t in scheduler.timesteps.tolist():
        theirs = scheduler.step(
            smooth_network(theirs, t), t, theirs, generator).prev_sample
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('start_t', [950, 999])
@pytest.mark.parametrize('num_steps', [1, 2, 64])
def test_sampler_recovers_a_point_mass(process, num_steps, start_t):
    point = torch.randn(1, 4).double()

    def ideal(x, t):
        alpha_bar = process.schedule.alpha_bar[t]
        noise = (x - alpha_bar.sqrt() * point) / (1 - alpha_bar).sqrt()
        return torch.cat([noise, torch.randn_like(x)], dim=1)

    sampler = AncestralSampler(num_steps, start_t)
    sample = sampler(process, ideal, torch.randn(3, 4).double())
    torch.testing.assert_close(sample, point.expand(3, -1), rtol=0, atol=1e-6)


@pytest.mark.parametrize('start_t', [950, 999])
def test_sampler_recovers_a_gaussian(process, start_t):
    mean, std = 1.5, 0.4

    def ideal(x, t):
        # E[noise | x_t] where x_t ~ N(sqrt(abar) mean, abar std^2 + 1 - abar)
        alpha_bar = process.schedule.alpha_bar[t]
        variance = alpha_bar * std**2 + 1 - alpha_bar
        noise = (1 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * mean)
        return torch.cat([noise / variance, -torch.ones_like(x)], dim=1)

    sampler = AncestralSampler(200, start_t)
    sample = sampler(process, ideal, torch.randn(20_000, 1).double())
    # 20,000 draws: standard errors of 0.003 and 0.002.
    assert sample.mean().item() == pytest.approx(mean, abs=0.012)
    assert sample.std().item() == pytest.approx(std, abs=0.015)


def test_sampler_visits_the_spaced_steps_from_the_noisiest(process):
    visited = []

    def denoise(x, t):
        visited.append(t)
        return smooth_network(x, t)

    AncestralSampler(5, start_t=950)(process, denoise, torch.randn(2, 3))
    assert visited == [950, 712, 475, 238, 0]


def test_the_last_step_adds_no_noise(process):
    x, t = torch.randn(2, 3).double(), 700
    sampler = AncestralSampler(1, start_t=t)
    noise = smooth_network(x, t)[:, :3]
    alpha_bar = process.schedule.alpha_bar[t]
    expected = (x - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()
    torch.testing.assert_close(sampler(process, smooth_network, x), expected)


def test_the_generator_makes_samples_repeatable(process):
    sampler, noise = AncestralSampler(5), torch.randn(2, 3)
    first, again, other = (
        sampler(process, smooth_network, noise,
                torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


def test_a_half_precision_network_does_not_lower_the_sampler(process):
    sampler, noise = AncestralSampler(10), torch.randn(2, 3)

    def half(x, t):
        return smooth_network(x, t).bfloat16()

    def widened(x, t):
        return half(x, t).float()

    samples = [
        sampler(process, network, noise,
                torch.Generator().manual_seed(0))
        for network in (half, widened)
    ]
    assert samples[0].dtype == torch.float32
    assert samples[0].equal(samples[1])


def test_defaults_start_where_the_signal_is_not_yet_lost(process):
    sampler = AncestralSampler()
    assert (len(sampler.steps), sampler.start_t) == (64, 950)
    assert sampler.guidance_scale == 2
    # What the docstring says of the two starts.
    signal = process.schedule.alpha_bar.sqrt()
    assert 1 / signal[999] == pytest.approx(20_000, rel=0.05)
    assert signal[950]**2 < 0.006
    assert math.floor(1 / signal[950]) == 13


def test_impossible_samplers_are_errors(process):
    with pytest.raises(ValueError, match='guidance_scale=-1.*use 1'):
        AncestralSampler(guidance_scale=-1)
    with pytest.raises(ValueError, match='start_t=-3 is negative.*950'):
        AncestralSampler(start_t=-3)
    with pytest.raises(ValueError, match='num_steps=0 .*from 1 to 951'):
        AncestralSampler(num_steps=0)
    with pytest.raises(ValueError, match='num_steps=52 .*from 1 to 51'):
        AncestralSampler(num_steps=52, start_t=50)
    with pytest.raises(ValueError, match=r'start_t=1000 .*\(0 to 999\)'):
        AncestralSampler(start_t=1000)(process, smooth_network,
                                       torch.randn(2, 3))
