"""Noising, the learned variance and the hybrid loss of GaussianDiffusion."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Normal, kl_divergence

from gendd_mm.diffusion import GaussianDiffusion
from gendd_mm.diffusion.gaussian import discretized_gaussian_nll, gaussian_kl

# The ends, their neighbours, the middle.
STEPS = torch.tensor([0, 1, 2, 500, 950, 998, 999])


@pytest.fixture
def process():
    return GaussianDiffusion()


def rows(dim: int = 4):
    """x_0, noise, noise estimate and v of one row per step, float64."""
    x_0, noise, mistake, v = torch.randn(4, len(STEPS), dim).double()
    return x_0, noise, noise + 0.3 * mistake, v


def test_add_noise_equals_that_of_diffusers(process, scheduler):
    x_0, noise, _, _ = rows()
    torch.testing.assert_close(
        process.add_noise(x_0, STEPS, noise),
        scheduler.add_noise(x_0, noise, STEPS))


def test_noised_tokens_keep_unit_variance(process):
    t = torch.arange(1000)
    kept = process.add_noise(torch.ones(1000, 1), t, torch.zeros(1000, 1))
    added = process.add_noise(torch.zeros(1000, 1), t, torch.ones(1000, 1))
    torch.testing.assert_close(kept**2 + added**2, torch.ones(1000, 1))
    assert (kept.diff(dim=0) < 0).all()


def test_every_step_is_drawn_equally_often(process):
    t = process.draw_steps(100_000, torch.device('cpu'))
    assert (t.min(), t.max()) == (0, 999)
    counts = torch.bincount(t // 100)
    assert ((counts - 10_000).abs() < 4 * 100).all()


def test_v_of_plus_and_minus_one_gives_the_bounding_variances(process):
    t = torch.arange(1, 1000)
    ones = torch.ones(999, 1).double()
    beta = process.schedule.betas
    alpha_bar = process.schedule.alpha_bar
    posterior = (beta[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:]))
    torch.testing.assert_close(
        process.log_variance(ones, t)[:, 0].exp(), beta[1:])
    torch.testing.assert_close(
        process.log_variance(-ones, t)[:, 0].exp(), posterior)


def test_the_smaller_variance_is_clipped_at_step_0(process):
    v = torch.tensor([[-1.], [-1.], [1.]]).double()
    low_0, low_1, high_0 = process.log_variance(v, torch.tensor([0, 1, 0]))
    assert low_0 == low_1
    assert high_0.exp() == pytest.approx(process.schedule.betas[0].item())


def test_v_interpolates_the_log_variance_as_in_diffusers(process, scheduler):
    v = torch.randn(len(STEPS), 4).double()
    ours = process.log_variance(v, STEPS)
    for i, t in enumerate(STEPS.tolist()):
        if t > 0:  # at step 0, where nothing is sampled, diffusers has 1e-20
            torch.testing.assert_close(
                ours[i], scheduler._get_variance(t, predicted_variance=v[i]))


def test_kl_of_equal_gaussians_is_zero():
    log_variance = torch.randn(5).double()
    divergence = gaussian_kl(torch.zeros(5), log_variance, log_variance)
    assert (divergence == 0).all()


def test_kl_equals_that_of_torch():
    mean_q, mean_p, log_q, log_p = torch.randn(4, 20).double()
    expected = kl_divergence(
        Normal(mean_q, (log_q / 2).exp()), Normal(mean_p, (log_p / 2).exp()))
    torch.testing.assert_close(
        gaussian_kl(mean_q - mean_p, log_q, log_p), expected)


def test_bound_is_the_kl_of_the_two_posteriors(process):
    x_0, noise, estimate, v = rows()
    x_t = process.add_noise(x_0, STEPS, noise)
    beta = process.schedule.betas[STEPS][:, None]
    alpha_bar = process.schedule.alpha_bar[STEPS][:, None]
    before = torch.cat([torch.ones(1), process.schedule.alpha_bar])
    before = before[STEPS][:, None]

    def posterior_mean(clean):
        return (before.sqrt() * beta / (1 - alpha_bar) * clean +
                (1 - beta).sqrt() * (1 - before) / (1 - alpha_bar) * x_t)

    def clean_from(noise):
        return (x_t - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()

    minus_one = torch.full_like(v, -1)
    true = Normal(
        posterior_mean(x_0),
        (process.log_variance(minus_one, STEPS) / 2).exp())
    model = Normal(
        posterior_mean(clean_from(estimate)),
        (process.log_variance(v, STEPS) / 2).exp())
    expected = kl_divergence(true, model).mean(1) / math.log(2)
    bound = process.variational_bound(estimate, v, x_0, STEPS, noise)
    torch.testing.assert_close(bound[1:], expected[1:], rtol=1e-8, atol=1e-12)


def test_bound_at_step_0_is_the_likelihood_of_the_token(process):
    x_0, noise, estimate, v = (tensor[:1] for tensor in rows())
    t = torch.zeros(1, dtype=torch.int64)
    alpha_bar = process.schedule.alpha_bar[0]
    x_t = process.add_noise(x_0, t, noise)
    mean = (x_t - (1 - alpha_bar).sqrt() * estimate) / alpha_bar.sqrt()
    nats = discretized_gaussian_nll(x_0, x_0 - mean,
                                    process.log_variance(v, t))
    torch.testing.assert_close(
        process.variational_bound(estimate, v, x_0, t, noise),
        nats.mean(1) / math.log(2))


def test_bound_is_zero_for_a_perfect_estimate(process):
    x_0, noise, _, v = rows()
    minus_one = torch.full_like(v, -1)
    bound = process.variational_bound(noise, minus_one, x_0, STEPS, noise)
    torch.testing.assert_close(
        bound[1:], torch.zeros(len(STEPS) - 1).double(), atol=1e-12, rtol=0)


def test_bound_is_in_bits_per_dimension(process):
    x_0, noise, estimate, v = rows(dim=1)
    single = process.variational_bound(estimate, v, x_0, STEPS, noise)
    many = process.variational_bound(
        *(tensor.expand(-1, 5) for tensor in (estimate, v, x_0)), STEPS, noise)
    torch.testing.assert_close(many, single)
    # A bin of the level 0 that holds half of the mass is one bit.
    std = (1 / 255) / stats.norm.ppf(0.75)
    nats = discretized_gaussian_nll(
        torch.zeros(1).double(),
        torch.zeros(1).double(),
        torch.tensor([2 * math.log(std)]).double())
    assert nats.item() / math.log(2) == pytest.approx(1)


def test_likelihood_sums_to_one_over_its_bins():
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean, log_variance in ((0., -2.), (0.3, -9.), (-2., 0.), (1., -6.)):
        nll = discretized_gaussian_nll(levels, levels - mean,
                                       torch.tensor(log_variance).double())
        assert nll.neg().exp().sum() == pytest.approx(1, abs=1e-9)


def test_the_outermost_bins_are_open():
    value, log_variance = torch.tensor([-1.5, 1.5]), torch.zeros(2)
    nll = discretized_gaussian_nll(value, value, log_variance)
    mass = stats.norm.cdf(-1.5 + 1 / 255)
    assert nll[0] == nll[1] == pytest.approx(-math.log(mass))


def test_likelihood_is_precise_in_both_tails_in_float32():
    # 5 standard deviations out, where 1 - cdf has one digit in float32.
    value, log_variance = torch.tensor([-0.5, 0.5]), torch.full((2, ), -4.6)
    nll = discretized_gaussian_nll(value, value, log_variance)
    std = math.exp(-2.3)
    mass = stats.norm.cdf((-0.5 + 1 / 255) / std) - stats.norm.cdf(
        (-0.5 - 1 / 255) / std)
    torch.testing.assert_close(nll, torch.full((2, ), -math.log(mass)))


def test_loss_is_the_error_plus_the_bound(process):
    x_0, noise, estimate, v = rows()
    error = ((estimate - noise)**2).mean(1)
    bound = process.variational_bound(estimate, v, x_0, STEPS, noise)
    loss = process.loss(torch.cat([estimate, v], 1), x_0, STEPS, noise)
    torch.testing.assert_close(loss, error + bound)


def test_bound_trains_the_variance_and_the_error_the_noise(process):
    x_0, noise, estimate, v = rows()
    output = torch.cat([estimate, v], 1).requires_grad_()
    process.loss(output, x_0, STEPS, noise).sum().backward()
    to_estimate, to_v = output.grad.chunk(2, 1)

    # What the estimate gets is the gradient of the squared error alone.
    torch.testing.assert_close(to_estimate, 2 * (estimate - noise) / 4)

    v = v.requires_grad_()
    process.variational_bound(estimate, v, x_0, STEPS, noise).sum().backward()
    torch.testing.assert_close(to_v, v.grad)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_output_is_computed_in_float32(process, dtype):
    x_0, noise, estimate, v = (tensor.float() for tensor in rows())
    output = torch.cat([estimate, v], 1).to(dtype)
    loss = process.loss(output, x_0, STEPS, noise)
    assert loss.dtype == torch.float32
    assert loss.equal(process.loss(output.float(), x_0, STEPS, noise))


def test_float32_loss_agrees_with_float64(process):
    x_0, noise, estimate, v = rows()
    output = torch.cat([estimate, v], 1)
    exact = process.loss(output, x_0, STEPS, noise)
    loss = process.loss(output.float(), x_0.float(), STEPS, noise.float())
    torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-5)


def test_process_has_no_state_to_save(process):
    assert not process.state_dict()
    assert not list(process.parameters())
    assert process.output_dim(64) == 128


def test_impossible_processes_are_errors():
    with pytest.raises(ValueError, match='num_steps=1 is too small.*1000'):
        GaussianDiffusion(num_steps=1)
    with pytest.raises(ValueError, match="schedule='sine'.*cosine.*linear"):
        GaussianDiffusion(schedule='sine')
    with pytest.raises(ValueError, match='num_steps=5 .*21 or more'):
        GaussianDiffusion(num_steps=5, schedule='linear')
