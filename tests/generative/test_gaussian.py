"""Noising, the learned variance and the hybrid loss of GaussianDiffusion."""

import pytest
import torch

from gendd_mm.generative import GaussianDiffusion

PREDICTIONS = ['epsilon', 'x0', 'v']
TIMESTEPS = [dict(type='uniform'), dict(type='logit_normal'), dict(type='shifted', shift=3.0)]


@pytest.fixture
def process():
    return GaussianDiffusion()


def test_add_noise_equals_that_of_diffusers(process, scheduler, rows, steps):
    x_0, noise, _, _ = rows
    torch.testing.assert_close(
        process.add_noise(x_0, steps, noise), scheduler.add_noise(x_0, noise, steps)
    )


def test_noised_tokens_keep_unit_variance(process):
    t = torch.arange(1000)
    kept = process.add_noise(torch.ones(1000, 1), t, torch.zeros(1000, 1))
    added = process.add_noise(torch.zeros(1000, 1), t, torch.ones(1000, 1))
    torch.testing.assert_close(kept**2 + added**2, torch.ones(1000, 1))
    assert (kept.diff(dim=0) < 0).all()


def test_every_step_is_drawn_equally_often(process):
    t = process.timesteps_from_quantiles(torch.rand(100_000))
    assert t.dtype == torch.int64
    assert (t.min(), t.max()) == (0, 999)
    counts = torch.bincount(t // 100)
    assert ((counts - 10_000).abs() < 4 * 100).all()


def test_steps_are_those_of_equal_parts_of_the_probability(process):
    share = (torch.arange(1000) + 0.5) / 1000
    assert process.timesteps_from_quantiles(share).equal(torch.arange(1000))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('timesteps', TIMESTEPS, ids=str)
@pytest.mark.parametrize('num_steps', [2, 999, 1000])
def test_steps_stay_inside_the_process(num_steps, timesteps, dtype):
    process = GaussianDiffusion(num_steps, timesteps=timesteps)
    zero, one = torch.tensor([0, 1], dtype=dtype)
    # 1 itself too: what is below may be rounded to it.
    ends = torch.stack([zero, one.nextafter(zero), one])
    first, last_but_rounding, last = process.timesteps_from_quantiles(ends).tolist()
    assert (first, last) == (0, num_steps - 1)
    assert 0.99 * num_steps - 1 <= last_but_rounding <= last


def test_v_of_plus_and_minus_one_gives_the_bounding_variances(process):
    t = torch.arange(1, 1000)
    ones = torch.ones(999, 1).double()
    beta = process.schedule.betas
    alpha_bar = process.schedule.alpha_bar
    posterior = beta[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])
    torch.testing.assert_close(process.log_variance(ones, t)[:, 0].exp(), beta[1:])
    torch.testing.assert_close(process.log_variance(-ones, t)[:, 0].exp(), posterior)


def test_the_smaller_variance_is_clipped_at_step_0(process):
    v = torch.tensor([[-1.0], [-1.0], [1.0]]).double()
    low_0, low_1, high_0 = process.log_variance(v, torch.tensor([0, 1, 0]))
    assert low_0 == low_1
    assert high_0.exp() == pytest.approx(process.schedule.betas[0].item())


def test_v_interpolates_the_log_variance_as_in_diffusers(process, scheduler, steps):
    v = torch.randn(len(steps), 4).double()
    ours = process.log_variance(v, steps)
    for i, t in enumerate(steps.tolist()):
        if t > 0:  # at step 0, where nothing is sampled, diffusers has 1e-20
            torch.testing.assert_close(ours[i], scheduler._get_variance(t, predicted_variance=v[i]))


def test_loss_is_the_error_plus_the_bound(process, rows, steps):
    x_0, noise, estimate, v = rows
    error = ((estimate - noise) ** 2).mean(1)
    bound = process.variational_bound(noise - estimate, v, x_0, steps)
    loss = process.loss(torch.cat([estimate, v], 1), x_0, steps, noise)
    torch.testing.assert_close(loss, error + bound)


def test_bound_trains_the_variance_and_the_error_the_noise(process, rows, steps):
    x_0, noise, estimate, v = rows
    output = torch.cat([estimate, v], 1).requires_grad_()
    process.loss(output, x_0, steps, noise).sum().backward()
    to_estimate, to_v = output.grad.chunk(2, 1)

    # What the estimate gets is the gradient of the squared error alone.
    torch.testing.assert_close(to_estimate, 2 * (estimate - noise) / 4)

    v = v.requires_grad_()
    process.variational_bound(noise - estimate, v, x_0, steps).sum().backward()
    torch.testing.assert_close(to_v, v.grad)


@pytest.mark.parametrize('prediction', PREDICTIONS)
def test_bound_is_that_of_the_estimate_whatever_stands_for_it(prediction, rows, steps):
    """An error e of the noise is one of -e scale / signal of x_0."""
    process = GaussianDiffusion(prediction=prediction)
    x_0, noise, estimate, v = rows
    x_t = process.add_noise(x_0, steps, noise)
    signal, scale = (level[:, None] for level in process.scales(steps))
    output = dict(
        epsilon=estimate, x0=(x_t - scale * estimate) / signal, v=(estimate - scale * x_t) / signal
    )[prediction]
    factor = dict(epsilon=1, x0=scale / signal, v=1 / signal)[prediction]
    squares = (factor * (estimate - noise)).square().mean(1)
    loss = process.loss(torch.cat([output, v], 1), x_0, steps, noise)
    bound = process.variational_bound(noise - estimate, v, x_0, steps)
    torch.testing.assert_close(loss, squares + bound)


@pytest.mark.parametrize('prediction', PREDICTIONS)
def test_without_a_learned_variance_the_loss_is_the_error(prediction, rows, steps):
    process = GaussianDiffusion(prediction=prediction, learned_variance=False)
    assert process.output_dim(64) == 64
    x_0, noise, output, _ = rows
    error = output - process.prediction_target(x_0, steps, noise)
    torch.testing.assert_close(process.loss(output, x_0, steps, noise), error.square().mean(1))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_output_is_computed_in_float32(process, dtype, rows, steps):
    x_0, noise, estimate, v = (tensor.float() for tensor in rows)
    output = torch.cat([estimate, v], 1).to(dtype)
    loss = process.loss(output, x_0, steps, noise)
    assert loss.dtype == torch.float32
    assert loss.equal(process.loss(output.float(), x_0, steps, noise))


def test_float32_loss_agrees_with_float64(process, rows, steps):
    x_0, noise, estimate, v = rows
    output = torch.cat([estimate, v], 1)
    exact = process.loss(output, x_0, steps, noise)
    loss = process.loss(output.float(), x_0.float(), steps, noise.float())
    torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-5)


def test_process_has_no_state_to_save(process):
    assert not process.state_dict()
    assert not list(process.parameters())
    assert process.output_dim(64) == 128


def test_impossible_processes_are_errors():
    with pytest.raises(ValueError, match='num_timesteps=1 is too small.*1000'):
        GaussianDiffusion(num_timesteps=1)
    with pytest.raises(ValueError, match="prediction='noise'.*'epsilon'.*"):
        GaussianDiffusion(prediction='noise')
    with pytest.raises(ValueError, match="schedule='sine'.*cosine.*linear"):
        GaussianDiffusion(schedule='sine')
    with pytest.raises(ValueError, match='num_timesteps=5 .*21 or more'):
        GaussianDiffusion(num_timesteps=5, schedule='linear')


@pytest.mark.parametrize('start_t', [-1, 1000, 10.5])
def test_only_its_steps_can_be_started_from(process, start_t):
    with pytest.raises(ValueError, match=rf'={start_t} is not .*1000 \(0 to'):
        process.check_start(start_t)


def test_spaced_steps_end_before_clean_data(process):
    assert process.default_start == 950
    assert process.sampling_timesteps(4, 950) == [950, 712, 475, 238]
    assert process.sampling_timesteps(1, 999) == [999]
    assert process.sampling_timesteps(999, 999) == list(range(999, 0, -1))
    for num_steps in (0, 11):
        with pytest.raises(ValueError, match=f'={num_steps} .*from 1 to 10'):
            process.sampling_timesteps(num_steps, 10)
