"""Guidance, and what holds for every sampler."""

import itertools

import pytest
import torch
from gaussian_data import GaussianData

from gendd_mm.generative import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    GaussianDiffusion,
    MidpointSampler,
    OneStepSampler,
    RectifiedFlow,
    guide,
)

PREDICTIONS = ['epsilon', 'x0', 'v']


def gaussian(**settings) -> GaussianDiffusion:
    """All samplers can do without a learned variance."""
    return GaussianDiffusion(learned_variance=False, **settings)


DETERMINISTIC = [DDIMSampler, DPMSolverPPSampler, MidpointSampler, OneStepSampler]
PAIRS = [(kind, sampler) for kind in (gaussian, RectifiedFlow) for sampler in DETERMINISTIC]
EVERY = pytest.mark.parametrize(('kind', 'sampler'), [(gaussian, AncestralSampler), *PAIRS])


def test_guidance_1_is_the_conditional_output_exactly():
    conditional = torch.randn(5, 6)
    assert guide(conditional, torch.randn(5, 3), 1.0).equal(conditional)


def test_guidance_0_is_the_unconditional_estimate_exactly():
    unconditional = torch.randn(5, 3)
    guided = guide(torch.randn(5, 6), unconditional, 0.0)
    assert guided[:, :3].equal(unconditional)


@pytest.mark.parametrize('channels', [3, 6])
@pytest.mark.parametrize('scale', [0.3, 2.0, 4.0])
def test_guidance_moves_the_estimate_and_keeps_the_variance(scale, channels):
    conditional = torch.randn(5, channels).double()
    null = torch.randn(5, 3).double()
    guided = guide(conditional, null, scale)
    assert guided.shape == conditional.shape
    torch.testing.assert_close(guided[:, :3], null + scale * (conditional[:, :3] - null))
    assert guided[:, 3:].equal(conditional[:, 3:])


@pytest.mark.parametrize('prediction', PREDICTIONS)
@pytest.mark.parametrize('kind', [gaussian, RectifiedFlow])
def test_guiding_any_estimate_guides_the_clean_token(kind, prediction):
    process = kind(prediction=prediction)
    x_t, conditional, null = torch.randn(3, 5, 4).double()
    guided, with_condition, without = (
        process.estimates(output, x_t, 700)[0]
        for output in (guide(conditional, null, 2.0), conditional, null)
    )
    torch.testing.assert_close(guided, guide(with_condition, without, 2.0))


@pytest.mark.parametrize('prediction', PREDICTIONS)
@EVERY
def test_a_point_mass_is_recovered_in_any_number_of_steps(kind, sampler, prediction):
    process = kind(prediction=prediction)
    point, noise = torch.randn(4).double(), torch.randn(3, 4).double()
    data = GaussianData(process, point, 0.0)
    for num_steps in [1] if sampler is OneStepSampler else [1, 2, 5, 64]:
        sample = sampler(num_steps)(process, data.denoise, noise)
        torch.testing.assert_close(sample, point.expand(3, -1), rtol=0, atol=1e-9)


@EVERY
def test_shape_and_precision_are_those_of_the_noise(kind, sampler):
    process = kind()
    data = GaussianData(process, 0.3, 0.5)
    noise = torch.randn(2, 3, 5, 4)
    sample = sampler()(process, data.denoise, noise)
    assert (sample.shape, sample.dtype) == (noise.shape, torch.float32)
    assert not sample.requires_grad


@EVERY
def test_the_steps_are_the_ones_visited(kind, sampler):
    process, visited = kind(), []
    data = GaussianData(process, 0.3, 0.5)

    def denoise(x, t):
        visited.append(t)
        return data.denoise(x, t)

    sampler = sampler()
    sampler(process, denoise, torch.randn(2, 4))
    assert visited == sampler.timesteps(process)
    assert len(visited) == sampler.num_steps * sampler.evaluations_per_step
    assert all(t > after for t, after in itertools.pairwise(visited))
    assert visited[0] == sampler.start(process) == process.default_start


@pytest.mark.parametrize(('kind', 'sampler'), PAIRS)
def test_the_start_decides_a_deterministic_sample(kind, sampler):
    process = kind()
    data, noise = GaussianData(process, 0.3, 0.5), torch.randn(2, 4)
    before = torch.get_rng_state()
    first, again = (sampler()(process, data.denoise, noise) for _ in range(2))
    assert first.equal(again)
    assert torch.get_rng_state().equal(before)
    assert not first.equal(sampler()(process, data.denoise, -noise))


@pytest.mark.parametrize('sampler', [AncestralSampler, *DETERMINISTIC])
def test_impossible_samplers_are_errors(sampler):
    with pytest.raises(ValueError, match='guidance_scale=-1.*use 1'):
        sampler(guidance_scale=-1)
    with pytest.raises(ValueError, match='num_steps=0 '):
        sampler(num_steps=0)
    for start_t, message in (
        (-3, 'start_t=-3 is not .*950'),
        (1000, r'start_t=1000 .*\(0 to 999\)'),
    ):
        with pytest.raises(ValueError, match=message):
            sampler(start_t=start_t).timesteps(GaussianDiffusion())


@pytest.mark.parametrize('sampler', DETERMINISTIC)
def test_impossible_starts_on_a_flow_are_errors(sampler):
    for start_t in (0, 1001):
        with pytest.raises(ValueError, match=f'start_t={start_t} is outside'):
            sampler(start_t=start_t).timesteps(RectifiedFlow())
