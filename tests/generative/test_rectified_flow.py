"""RectifiedFlow: straight paths, continuous steps, where it can start."""

import pytest
import torch

from gendd_mm.generative import RectifiedFlow


def test_paths_are_straight_from_data_to_noise():
    process = RectifiedFlow()
    x_0, noise = torch.randn(2, 3, 4)
    t = torch.tensor([0.0, 250.0, 1000.0])
    x_t = process.add_noise(x_0, t, noise)
    assert x_t[0].equal(x_0[0])
    torch.testing.assert_close(x_t[1], 0.75 * x_0[1] + 0.25 * noise[1])
    assert x_t[2].equal(noise[2])


def test_loss_is_the_squared_error_of_the_velocity():
    process = RectifiedFlow()
    x_0, noise, output = torch.randn(3, 5, 4)
    t = process.timesteps_from_quantiles(torch.rand(5))
    torch.testing.assert_close(
        process.loss(output, x_0, t, noise), (output - (noise - x_0)).square().mean(1)
    )
    assert process.output_dim(64) == 64


@pytest.mark.parametrize('num_steps', [10, 1000])
def test_steps_are_continuous_over_the_whole_scale(num_steps):
    process = RectifiedFlow(num_steps)
    uniform = torch.rand(100)
    t = process.timesteps_from_quantiles(uniform)
    assert t.is_floating_point()
    torch.testing.assert_close(t, num_steps * uniform)


@pytest.mark.parametrize(('prediction', 'start'), [('v', 1000), ('x0', 1000), ('epsilon', 950)])
def test_it_starts_from_noise_where_the_estimate_allows(prediction, start):
    """At pure noise, the noise says nothing of the clean token."""
    process = RectifiedFlow(prediction=prediction)
    assert process.default_start == start
    assert process.sampling_timesteps(2, start) == [start, start / 2]
    for wrong in (0, -1, start + 0.5):
        with pytest.raises(ValueError, match=rf'={wrong} is .*\(0, {start}\]'):
            process.sampling_timesteps(2, wrong)


def test_spaced_steps_end_before_clean_data():
    steps = RectifiedFlow().sampling_timesteps(5, 1000.0)
    assert steps == pytest.approx([1000, 800, 600, 400, 200])
    assert RectifiedFlow().sampling_timesteps(2, 12.5) == [12.5, 6.25]
