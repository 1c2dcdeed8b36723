"""Deterministic samplers against diffusers, plain loops and analysis."""

import math
from fractions import Fraction
from unittest import mock

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from gaussian_data import GaussianData

from gendd_mm.generative import (
    DDIMSampler,
    DPMSolverPPSampler,
    GaussianDiffusion,
    MidpointSampler,
    OneStepSampler,
    RectifiedFlow,
)

# diffusers' name of each.
PREDICTIONS = dict(epsilon='epsilon', x0='sample', v='v_prediction')
OF_DIFFUSERS = pytest.mark.parametrize('prediction', PREDICTIONS)


def smooth_network(x, t):
    """Some smooth function of noisy token and step, as a denoiser."""
    return torch.sin(x + t / 300) + 0.9 * x


@pytest.fixture
def in_float64():
    """Tell diffusers, which computes in float32, that float64 is meant."""
    with mock.patch.object(torch, 'float32', torch.float64):
        yield


def settings(prediction: str) -> dict:
    return dict(beta_schedule='squaredcos_cap_v2', prediction_type=PREDICTIONS[prediction])


@OF_DIFFUSERS
@pytest.mark.parametrize(
    ('num_steps', 'start_t'), [(1, 950), (2, 999), (7, 950), (50, 999), (300, 300)]
)
def test_ddim_equals_that_of_diffusers(in_float64, num_steps, start_t, prediction):
    process = GaussianDiffusion(prediction=prediction)
    sampler, noise = DDIMSampler(num_steps, start_t), torch.randn(3, 4)
    steps = sampler.timesteps(process)
    scheduler = DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **settings(prediction))
    x = noise = noise.double()
    for t, after in zip(steps, [*steps[1:], -1]):
        # It takes the next step to be 1000 // num_inference_steps away.
        scheduler.num_inference_steps = Fraction(1000, t - after)
        x = scheduler.step(smooth_network(x, t), t, x).prev_sample
    torch.testing.assert_close(sampler(process, smooth_network, noise), x, rtol=1e-6, atol=1e-6)


@OF_DIFFUSERS
@pytest.mark.parametrize(('num_steps', 'start_t'), [(1, 950), (2, 999), (4, 950), (20, 999)])
def test_dpm_solver_equals_that_of_diffusers(in_float64, num_steps, start_t, prediction):
    process = GaussianDiffusion(prediction=prediction)
    sampler = DPMSolverPPSampler(num_steps, start_t)
    scheduler = DPMSolverMultistepScheduler(
        solver_order=2,
        algorithm_type='dpmsolver++',
        solver_type='midpoint',
        lower_order_final=True,
        final_sigmas_type='zero',
        **settings(prediction),
    )
    steps = sampler.timesteps(process)
    scheduler.set_timesteps(timesteps=steps)
    # NumPy rounded them to float32.
    alpha_bar = scheduler.alphas_cumprod[steps]
    scheduler.sigmas = torch.cat([(1 / alpha_bar - 1).sqrt(), alpha_bar.new_zeros(1)])
    x = noise = torch.randn(3, 4).double()
    for t in steps:
        x = scheduler.step(smooth_network(x, t), t, x).prev_sample
    torch.testing.assert_close(sampler(process, smooth_network, noise), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('num_steps', [1, 4, 25])
def test_euler_on_a_flow_equals_that_of_diffusers(in_float64, num_steps):
    process, sampler = RectifiedFlow(), DDIMSampler(num_steps)
    scheduler = FlowMatchEulerDiscreteScheduler()
    steps = sampler.timesteps(process)
    scheduler.set_timesteps(sigmas=[t / 1000 for t in steps])
    x = noise = torch.randn(3, 4).double()
    for t, theirs in zip(steps, scheduler.timesteps):
        assert theirs.item() == pytest.approx(t, rel=1e-6)
        x = scheduler.step(smooth_network(x, t), theirs, x).prev_sample
    # NumPy rounded its steps to float32.
    torch.testing.assert_close(sampler(process, smooth_network, noise), x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('start_t', [1000.0, 700.0])
@pytest.mark.parametrize('num_steps', [1, 4])
def test_euler_and_midpoint_on_a_flow_are_the_textbook_loops(num_steps, start_t):
    euler = midpoint = noise = torch.randn(3, 4).double()
    size = start_t / num_steps
    for i in range(num_steps):
        t = start_t - i * size
        euler = euler - size / 1000 * smooth_network(euler, t)
        middle = midpoint - size / 2000 * smooth_network(midpoint, t)
        midpoint = midpoint - size / 1000 * smooth_network(middle, t - size / 2)
    for sampler, expected in ((DDIMSampler, euler), (MidpointSampler, midpoint)):
        sample = sampler(num_steps, start_t)(RectifiedFlow(), smooth_network, noise)
        torch.testing.assert_close(sample, expected)


@pytest.mark.parametrize(('t', 'after'), [(950, 475), (475, None), (20, None), (2, None)])
def test_the_middle_of_gaussian_steps_is_that_of_their_angles(t, after):
    process = GaussianDiffusion()

    def angle(step):
        return 0.0 if step is None else math.asin(process.scales_at(step)[1])

    middle = process.midpoint(t, after)
    assert (after or -1) < middle < t
    # Half a step is pi / 4000, but for the offset at the clean end.
    assert angle(middle) == pytest.approx((angle(t) + angle(after)) / 2, abs=0.002)


@pytest.mark.parametrize(
    ('kind', 'start_t'), [(GaussianDiffusion, 512), (GaussianDiffusion, 896), (RectifiedFlow, 1000)]
)
@pytest.mark.parametrize(
    ('sampler', 'order', 'coarse', 'fine'),
    [
        (DDIMSampler, 1, 8, 64),
        (DPMSolverPPSampler, 2, 8, 64),
        (MidpointSampler, 2, 2, 8),
    ],
)
def test_orders_of_convergence(kind, start_t, sampler, order, coarse, fine):
    """The error falls like 1 / n^order, or faster where it changes sign.

    With steps long enough that rounding them to whole ones does not show.
    """
    process = kind(prediction='v')
    if kind is RectifiedFlow and sampler is DPMSolverPPSampler:
        # Even steps are uneven in its log signal-to-noise ratio.
        coarse, fine = 128, 1024
    data = GaussianData(process, 1.5, 0.4)
    noise = torch.randn(50).double()
    exact = data.end_of_flow(noise, start_t)

    def error(sampler, num_steps):
        sample = sampler(num_steps, start_t)(process, data.denoise, noise)
        return (sample - exact).abs().max().item()

    fall = error(sampler, coarse) / error(sampler, fine)
    assert fall > 0.6 * (fine / coarse) ** order
    if order == 1:
        assert fall < 1.2 * fine / coarse
    else:
        assert error(sampler, fine) < error(DDIMSampler, fine) / 10


@pytest.mark.parametrize('prediction', PREDICTIONS)
@pytest.mark.parametrize('kind', [GaussianDiffusion, RectifiedFlow])
def test_one_step_is_the_posterior_mean_and_ddim_of_one_step(kind, prediction):
    process = kind(prediction=prediction)
    data, noise = GaussianData(process, 1.5, 0.4), torch.randn(3, 4).double()
    sample = OneStepSampler()(process, data.denoise, noise)
    assert sample.equal(DDIMSampler(1)(process, data.denoise, noise))
    mean, _ = data.posterior_mean(noise, process.default_start)
    torch.testing.assert_close(sample, mean)


def test_one_step_takes_no_other_number_of_steps():
    assert OneStepSampler(num_steps=1).num_steps == 1
    with pytest.raises(ValueError, match='num_steps=3 .*num_steps=1, or use'):
        OneStepSampler(num_steps=3)


def test_dpm_solver_takes_the_infinite_gains_at_both_ends_of_a_flow():
    """Two steps from pure noise to clean data: both of first order."""
    process = RectifiedFlow()
    data, noise = GaussianData(process, 1.5, 0.4), torch.randn(3, 4).double()
    samples = [
        sampler(2)(process, data.denoise, noise) for sampler in (DPMSolverPPSampler, DDIMSampler)
    ]
    assert samples[0].isfinite().all()
    torch.testing.assert_close(*samples)


@pytest.mark.parametrize('sampler', [DDIMSampler, DPMSolverPPSampler])
def test_more_steps_than_a_gaussian_process_has_are_an_error(sampler):
    process = GaussianDiffusion()
    assert sampler(50, start_t=50).timesteps(process)[-1] == 1
    with pytest.raises(ValueError, match='num_steps=51 .*from 1 to 50'):
        sampler(51, start_t=50).timesteps(process)


def test_the_defaults_are_those_of_the_docstrings():
    counts = [
        sampler().num_steps
        for sampler in (DDIMSampler, OneStepSampler, DPMSolverPPSampler, MidpointSampler)
    ]
    assert counts == [8, 1, 4, 2]
    assert DDIMSampler().guidance_scale == 2
