"""Noising and what is estimated, for every process and prediction."""

import pytest
import torch
from torch.func import jvp

from gendd_mm.generative import GaussianDiffusion, RectifiedFlow

PREDICTIONS = ['epsilon', 'x0', 'v']
STEPS = [1, 2, 37, 500, 950, 998]
EVERY = pytest.mark.parametrize('prediction', PREDICTIONS)
BOTH = pytest.mark.parametrize('kind', [GaussianDiffusion, RectifiedFlow])


def tokens():
    """x_0 and noise, float64."""
    return torch.randn(2, 5, 4).double()


@EVERY
@BOTH
def test_estimates_invert_the_truth_at_every_step(float64, kind, prediction):
    process = kind(prediction=prediction)
    x_0, noise = tokens()
    for step in STEPS:
        t = torch.full((5,), step)
        x_t = process.add_noise(x_0, t, noise)
        x_0_again, noise_again = process.estimates(
            process.prediction_target(x_0, t, noise), x_t, step
        )
        # Of a signal of 1e-3, three digits fewer can be had.
        torch.testing.assert_close(x_0_again, x_0, rtol=0, atol=1e-10)
        torch.testing.assert_close(noise_again, noise, rtol=0, atol=1e-10)


@EVERY
@BOTH
def test_estimates_explain_the_noisy_token(float64, kind, prediction):
    process = kind(prediction=prediction)
    output, x_t = tokens()
    for step in STEPS:
        x_0, noise = process.estimates(output, x_t, step)
        t = torch.full((5,), step)
        torch.testing.assert_close(process.add_noise(x_0, t, noise), x_t)
        torch.testing.assert_close(process.prediction_target(x_0, t, noise), output)


def test_velocity_of_gaussian_diffusion_is_that_of_diffusers(float64, scheduler):
    process = GaussianDiffusion(prediction='v')
    x_0, noise = tokens()
    t = torch.tensor([0, 1, 500, 950, 999])
    torch.testing.assert_close(
        process.prediction_target(x_0, t, noise), scheduler.get_velocity(x_0, noise, t)
    )


def test_velocity_of_a_flow_is_the_derivative_of_its_path(float64):
    process = RectifiedFlow()
    x_0, noise = tokens()
    t = torch.tensor([0.0, 1, 500, 950, 1000])
    _, velocity = jvp(lambda t: process.add_noise(x_0, t, noise), (t,), (torch.full((5,), 1000.0),))
    torch.testing.assert_close(process.prediction_target(x_0, t, noise), velocity)


@BOTH
def test_one_level_is_an_entry_of_all(float64, kind):
    process = kind()
    for i, levels in enumerate(zip(*process.scales(torch.tensor(STEPS)))):
        torch.testing.assert_close(torch.tensor(process.scales_at(STEPS[i])), torch.stack(levels))


@EVERY
@BOTH
def test_leading_axes_broadcast(kind, prediction):
    """Copies that share a step give what separate calls give."""
    process = kind(prediction=prediction)
    t = process.timesteps_from_quantiles(torch.rand(5))
    x_0, noise = torch.randn(5, 4), torch.randn(3, 5, 4)
    output = torch.randn(3, 5, process.output_dim(4))
    x_t = process.add_noise(x_0, t, noise)
    truth = process.prediction_target(x_0, t, noise)
    loss = process.loss(output, x_0, t, noise)
    assert loss.shape == (3, 5)
    for i in range(3):
        assert x_t[i].equal(process.add_noise(x_0, t, noise[i]))
        assert truth[i].equal(process.prediction_target(x_0, t, noise[i]))
        assert loss[i].equal(process.loss(output[i], x_0, t, noise[i]))


@EVERY
@BOTH
def test_a_perfect_estimate_has_no_error(kind, prediction):
    process = kind(prediction=prediction)
    if kind is GaussianDiffusion:
        process = kind(prediction=prediction, learned_variance=False)
    t, (x_0, noise) = process.timesteps_from_quantiles(torch.rand(5)), tokens()
    loss = process.loss(process.prediction_target(x_0, t, noise), x_0, t, noise)
    assert loss.equal(torch.zeros(5).double())


@BOTH
def test_half_precision_output_is_computed_in_float32(kind):
    process = kind()
    t, (x_0, noise) = process.timesteps_from_quantiles(torch.rand(5)), tokens().float()
    output = torch.randn(5, process.output_dim(4)).half()
    loss = process.loss(output, x_0, t, noise)
    assert loss.dtype == torch.float32
    assert loss.equal(process.loss(output.float(), x_0, t, noise))


@BOTH
def test_processes_have_no_state_to_save(kind):
    assert not kind().state_dict()
    assert not list(kind().parameters())


@BOTH
def test_timesteps_are_taken_as_config_or_as_object(kind):

    class Middle:
        def quantile(self, uniform):
            return torch.full_like(uniform, 0.5)

    assert (kind(timesteps=Middle()).timesteps_from_quantiles(torch.rand(3)) == 500).all()
    shifted = kind(timesteps=dict(type='shifted', shift=3.0))
    assert shifted.timesteps_from_quantiles(torch.tensor([0.5])).item() == 750
    with pytest.raises(ValueError, match="type='normal' .*logit_normal"):
        kind(timesteps=dict(type='normal'))


@BOTH
def test_impossible_processes_are_errors(kind):
    with pytest.raises(ValueError, match='num_timesteps=1 is too small.*1000'):
        kind(num_timesteps=1)
    with pytest.raises(ValueError, match="prediction='x_0' .*'x0'"):
        kind(prediction='x_0')
