"""The variational bound of GaussianDiffusion and what it is made of."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Normal, kl_divergence

from gendd_mm.generative import GaussianDiffusion
from gendd_mm.generative.gaussian import discretized_gaussian_nll, gaussian_kl


@pytest.fixture
def process():
    return GaussianDiffusion()


def test_kl_of_equal_gaussians_is_zero():
    log_variance = torch.randn(5).double()
    divergence = gaussian_kl(torch.zeros(5), log_variance, log_variance)
    assert (divergence == 0).all()


def test_kl_equals_that_of_torch():
    mean_q, mean_p, log_q, log_p = torch.randn(4, 20).double()
    expected = kl_divergence(Normal(mean_q, (log_q / 2).exp()), Normal(mean_p, (log_p / 2).exp()))
    torch.testing.assert_close(gaussian_kl(mean_q - mean_p, log_q, log_p), expected)


def test_bound_is_the_kl_of_the_two_posteriors(process, rows, steps):
    x_0, noise, estimate, v = rows
    x_t = process.add_noise(x_0, steps, noise)
    beta = process.schedule.betas[steps][:, None]
    alpha_bar = process.schedule.alpha_bar[steps][:, None]
    before = torch.cat([torch.ones(1), process.schedule.alpha_bar])
    before = before[steps][:, None]

    def posterior_mean(clean):
        return (
            before.sqrt() * beta / (1 - alpha_bar) * clean
            + (1 - beta).sqrt() * (1 - before) / (1 - alpha_bar) * x_t
        )

    def clean_from(noise):
        return (x_t - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()

    minus_one = torch.full_like(v, -1)
    true = Normal(posterior_mean(x_0), (process.log_variance(minus_one, steps) / 2).exp())
    model = Normal(posterior_mean(clean_from(estimate)), (process.log_variance(v, steps) / 2).exp())
    expected = kl_divergence(true, model).mean(1) / math.log(2)
    bound = process.variational_bound(noise - estimate, v, x_0, steps)
    torch.testing.assert_close(bound[1:], expected[1:], rtol=1e-8, atol=1e-12)


def test_bound_at_step_0_is_the_likelihood_of_the_token(process, rows):
    x_0, noise, estimate, v = (tensor[:1] for tensor in rows)
    t = torch.zeros(1, dtype=torch.int64)
    alpha_bar = process.schedule.alpha_bar[0]
    x_t = process.add_noise(x_0, t, noise)
    mean = (x_t - (1 - alpha_bar).sqrt() * estimate) / alpha_bar.sqrt()
    nats = discretized_gaussian_nll(x_0, x_0 - mean, process.log_variance(v, t))
    torch.testing.assert_close(
        process.variational_bound(noise - estimate, v, x_0, t), nats.mean(1) / math.log(2)
    )


def test_bound_is_zero_for_a_perfect_estimate(process, rows, steps):
    x_0, _, _, v = rows
    perfect, minus_one = torch.zeros_like(v), torch.full_like(v, -1)
    bound = process.variational_bound(perfect, minus_one, x_0, steps)
    torch.testing.assert_close(bound[1:], torch.zeros(len(steps) - 1).double(), atol=1e-12, rtol=0)


def test_bound_is_in_bits_per_dimension(process, rows, steps):
    x_0, noise, estimate, v = (part[:, :1] for part in rows)
    single = process.variational_bound(noise - estimate, v, x_0, steps)
    many = process.variational_bound(
        *(tensor.expand(-1, 5) for tensor in (noise - estimate, v, x_0)), steps
    )
    torch.testing.assert_close(many, single)
    # A bin of the level 0 that holds half of the mass is one bit.
    std = (1 / 255) / stats.norm.ppf(0.75)
    nats = discretized_gaussian_nll(
        torch.zeros(1).double(), torch.zeros(1).double(), torch.tensor([2 * math.log(std)]).double()
    )
    assert nats.item() / math.log(2) == pytest.approx(1)


def test_likelihood_sums_to_one_over_its_bins():
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean, log_variance in ((0.0, -2.0), (0.3, -9.0), (-2.0, 0.0), (1.0, -6.0)):
        nll = discretized_gaussian_nll(levels, levels - mean, torch.tensor(log_variance).double())
        assert nll.neg().exp().sum() == pytest.approx(1, abs=1e-9)


def test_the_outermost_bins_are_open():
    value, log_variance = torch.tensor([-1.5, 1.5]), torch.zeros(2)
    nll = discretized_gaussian_nll(value, value, log_variance)
    mass = stats.norm.cdf(-1.5 + 1 / 255)
    assert nll[0] == nll[1] == pytest.approx(-math.log(mass))


def test_likelihood_is_precise_in_both_tails_in_float32():
    # 5 standard deviations out, where 1 - cdf has one digit in float32.
    value, log_variance = torch.tensor([-0.5, 0.5]), torch.full((2,), -4.6)
    nll = discretized_gaussian_nll(value, value, log_variance)
    std = math.exp(-2.3)
    mass = stats.norm.cdf((-0.5 + 1 / 255) / std) - stats.norm.cdf((-0.5 - 1 / 255) / std)
    torch.testing.assert_close(nll, torch.full((2,), -math.log(mass)))
