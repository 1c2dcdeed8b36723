"""Ancestral sampling against laws and diffusers."""

import math
from unittest import mock

import pytest
import torch
from gaussian_data import GaussianData

from gendd_mm.generative import AncestralSampler, GaussianDiffusion, RectifiedFlow

# diffusers' name of each.
PREDICTIONS = dict(epsilon='epsilon', x0='sample', v='v_prediction')


@pytest.fixture
def process():
    return GaussianDiffusion()


def smooth_network(x, t):
    """Some smooth function of noisy token and step, as a denoiser."""
    estimate = torch.sin(x + t / 300) + 0.9 * x
    return torch.cat([estimate, torch.cos(3 * x - t / 100)], dim=1)


def estimate_alone(x, t):
    return smooth_network(x, t)[:, : x.size(1)]


@pytest.mark.parametrize('t', [1, 2, 37, 500, 999])
def test_a_reverse_step_equals_that_of_diffusers(process, scheduler, t):
    """Mean (the added noise zero) and standard deviation (it is one)."""
    x, output = torch.randn(3, 4).double(), torch.randn(3, 8).double()

    def ours(noise):
        seen = []

        def denoise(x, step):
            seen.append(x)
            return output

        with mock.patch.object(torch, 'randn', return_value=noise):
            AncestralSampler(t + 1, start_t=t)(process, denoise, x)
        return seen[1]

    def theirs(noise):
        with mock.patch('diffusers.schedulers.scheduling_ddpm.randn_tensor', return_value=noise):
            return scheduler.step(output, t, x).prev_sample

    for noise in (torch.zeros(3, 4).double(), torch.ones(3, 4).double()):
        torch.testing.assert_close(ours(noise), theirs(noise), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(('num_steps', 'start_t'), [(1000, 999), (64, 999), (100, 999), (64, 950)])
def test_the_respaced_chain_equals_that_of_diffusers(process, scheduler, num_steps, start_t):
    sampler = AncestralSampler(num_steps, start_t)
    scheduler.set_timesteps(timesteps=sampler.timesteps(process))
    noise = torch.randn(3, 4).double()
    ours = sampler(process, smooth_network, noise, torch.Generator().manual_seed(1))

    theirs, generator = noise, torch.Generator().manual_seed(1)
    for t in scheduler.timesteps.tolist():
        theirs = scheduler.step(smooth_network(theirs, t), t, theirs, generator).prev_sample
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('prediction', PREDICTIONS)
def test_without_a_learned_variance_the_chain_is_the_small_one_of_diffusers(ddpm, prediction):
    process = GaussianDiffusion(prediction=prediction, learned_variance=False)
    sampler = AncestralSampler(64, 999)
    scheduler = ddpm(variance_type='fixed_small', prediction_type=PREDICTIONS[prediction])
    scheduler.set_timesteps(timesteps=sampler.timesteps(process))
    noise = torch.randn(3, 4).double()
    ours = sampler(process, estimate_alone, noise, torch.Generator().manual_seed(1))

    theirs, generator = noise, torch.Generator().manual_seed(1)
    for t in scheduler.timesteps.tolist():
        theirs = scheduler.step(estimate_alone(theirs, t), t, theirs, generator).prev_sample
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('prediction', PREDICTIONS)
@pytest.mark.parametrize('start_t', [950, 999])
@pytest.mark.parametrize('num_steps', [1, 2, 64])
def test_sampler_recovers_a_point_mass(num_steps, start_t, prediction):
    process = GaussianDiffusion(prediction=prediction)
    point = torch.randn(1, 4).double()
    data = GaussianData(process, point, 0.0)

    def ideal(x, t):
        return torch.cat([data.denoise(x, t), torch.randn_like(x)], dim=1)

    sampler = AncestralSampler(num_steps, start_t)
    sample = sampler(process, ideal, torch.randn(3, 4).double())
    torch.testing.assert_close(sample, point.expand(3, -1), rtol=0, atol=1e-6)


@pytest.mark.parametrize('learned_variance', [True, False])
@pytest.mark.parametrize('start_t', [950, 999])
def test_sampler_recovers_a_gaussian(start_t, learned_variance):
    mean, std = 1.5, 0.4
    process = GaussianDiffusion(learned_variance=learned_variance)
    data = GaussianData(process, mean, std)

    def ideal(x, t):
        # The variance of the posterior, said or implied.
        output = torch.cat([data.denoise(x, t), -torch.ones_like(x)], dim=1)
        return output[:, : process.output_dim(1)]

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
        sampler(process, smooth_network, noise, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert first.equal(again)
    assert not first.equal(other)


def test_defaults_start_where_the_signal_is_not_yet_lost(process):
    sampler = AncestralSampler()
    steps = sampler.timesteps(process)
    assert (len(steps), steps[0], steps[-1]) == (64, 950, 0)
    assert sampler.guidance_scale == 2
    # What the docstring says of the two starts.
    signal = process.schedule.alpha_bar.sqrt()
    assert 1 / signal[999] == pytest.approx(20_000, rel=0.05)
    assert signal[950] ** 2 < 0.006
    assert math.floor(1 / signal[950]) == 13


def test_impossible_samplers_are_errors(process):
    with pytest.raises(ValueError, match='start_t=-3 is not .*950'):
        AncestralSampler(start_t=-3).timesteps(process)
    with pytest.raises(ValueError, match='num_steps=0 .*at least 1'):
        AncestralSampler(num_steps=0)
    with pytest.raises(ValueError, match='num_steps=52 .*from 1 to 51'):
        AncestralSampler(num_steps=52, start_t=50).timesteps(process)
    with pytest.raises(ValueError, match=r'start_t=1000 .*\(0 to 999\)'):
        AncestralSampler(start_t=1000)(process, smooth_network, torch.randn(2, 3))


def test_a_flow_has_no_chain_to_reverse():
    with pytest.raises(ValueError, match='RectifiedFlow use ddim, dpmpp_2m'):
        AncestralSampler().timesteps(RectifiedFlow())
