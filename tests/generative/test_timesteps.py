"""Distributions of the training steps: quantiles against definitions."""

import pytest
import torch
from scipy import stats

from gendd_mm.generative import GaussianDiffusion
from gendd_mm.generative.timesteps import (
    LogitNormalTimesteps,
    ShiftedTimesteps,
    UniformTimesteps,
    build_timesteps,
)

SHARES = torch.linspace(0, 1, 101).double()


def test_uniform_quantiles_lie_between_the_ends():
    assert UniformTimesteps().quantile(SHARES).equal(SHARES)
    part = UniformTimesteps(0.2, 0.7).quantile(SHARES)
    expected = stats.uniform(0.2, 0.5).ppf(SHARES.numpy())
    torch.testing.assert_close(part, torch.from_numpy(expected))


def test_the_noisier_half_is_the_steps_500_to_999():
    process = GaussianDiffusion(timesteps=dict(type='uniform', low=0.5, high=1.0))
    t = process.timesteps_from_quantiles(torch.rand(100_000))
    assert t.unique().equal(torch.arange(500, 1000))
    centres = (torch.arange(500) + 0.5) / 500
    assert process.timesteps_from_quantiles(centres).equal(torch.arange(500, 1000))


@pytest.mark.parametrize(('mean', 'std'), [(0.0, 1.0), (0.7, 0.5), (-1.0, 2.0)])
def test_logit_normal_quantiles_invert_its_distribution(mean, std):
    quantiles = LogitNormalTimesteps(mean, std).quantile(SHARES)
    assert (quantiles[0], quantiles[-1]) == (0, 1)
    logits = quantiles[1:-1].logit().numpy()
    torch.testing.assert_close(torch.from_numpy(stats.norm(mean, std).cdf(logits)), SHARES[1:-1])


@pytest.mark.parametrize('shift', [0.5, 1.0, 3.0])
def test_shifted_quantiles_scale_the_odds_of_noise(shift):
    """The ratio of noise to signal on a straight path, times the shift."""
    quantiles = ShiftedTimesteps(shift).quantile(SHARES)
    assert (quantiles[0], quantiles[-1]) == (0, 1)
    inner = slice(1, -1)
    torch.testing.assert_close(
        (quantiles / (1 - quantiles))[inner], shift * (SHARES / (1 - SHARES))[inner]
    )


@pytest.mark.parametrize(
    'timesteps',
    [
        UniformTimesteps(0.1, 0.9),
        LogitNormalTimesteps(0.5, 2.0),
        ShiftedTimesteps(5.0),
    ],
)
def test_quantiles_increase_in_any_shape(timesteps):
    quantiles = timesteps.quantile(SHARES.view(1, 101))
    assert quantiles.shape == (1, 101)
    assert (quantiles.diff() > 0).all()


def test_types_are_built_with_their_arguments():
    built = build_timesteps(dict(type='logit_normal', mean=1.0, std=2.0))
    assert isinstance(built, LogitNormalTimesteps)
    assert (built.mean, built.std) == (1, 2)
    assert build_timesteps(built) is built


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='uniform', low=0.5, high=0.5), 'low=0.5 to high=0.5 .*give'),
        (dict(type='uniform', low=-0.1), 'low=-0.1 to high=1.0 are not'),
        (dict(type='uniform', high=500), 'high=500 are not a part .*fractions'),
        (dict(type='logit_normal', std=0), 'std=0 .*positive'),
        (dict(type='shifted', shift=0), 'shift=0 .*positive'),
        (dict(type='shifted', shift=float('inf')), 'shift=inf .*positive'),
        (dict(type='shifted', shift=float('nan')), 'shift=nan .*positive'),
        (dict(type='beta'), "type='beta' is unknown.*shifted.*uniform"),
        (dict(low=0.5), 'type=None is unknown'),
    ],
)
def test_impossible_distributions_are_errors(config, message):
    given = dict(config)
    with pytest.raises(ValueError, match=message):
        build_timesteps(config)
    assert config == given
