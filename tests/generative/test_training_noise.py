"""Steps, noise and drops of a loss: their distribution and their spread."""

import math

import pytest
import torch
from scipy import stats
from small_head import CPU, seeded, small_head

from gendd_mm.generative.training_noise import AntitheticNoise, IndependentNoise, TrainingNoise

KINDS = [IndependentNoise, AntitheticNoise]
EVERY = pytest.mark.parametrize('kind', KINDS)
TOKENS, REPEATS, DROP = 3, 4, 0.3


def draw(kind, num_images: int, repeats: int = REPEATS, drop: float = DROP):
    """TrainingNoise with tokens of two channels."""
    return kind(repeats, drop)((num_images, TOKENS, 2), CPU)


def of_one_group(kind, num_images: int = 20_000, group: int = 4):
    """Step, drop and first noise of one group of each image: independent."""
    uniform, noise, keep = draw(kind, num_images)
    per_image = len(keep) // num_images
    return (uniform[group::per_image], ~keep[group::per_image], noise[:, group::per_image])


@EVERY
def test_there_are_as_many_rows_as_asked(kind):
    uniform, noise, keep = draw(kind, 5)
    groups = 5 * TOKENS * REPEATS // kind.noises_per_timestep
    assert kind(REPEATS, DROP).timesteps_per_token * kind.noises_per_timestep == REPEATS
    assert uniform.shape == keep.shape == (groups,)
    assert noise.shape == (kind.noises_per_timestep, groups, 2)
    assert keep.dtype == torch.bool


@EVERY
def test_steps_are_uniform(kind):
    for group in range(TOKENS * REPEATS // kind.noises_per_timestep):
        uniform, _, _ = of_one_group(kind, 2000, group)
        assert uniform.min() >= 0
        assert uniform.max() < 1
        assert stats.kstest(uniform.numpy(), 'uniform').pvalue > 1e-3


@EVERY
def test_noise_is_standard_normal(kind):
    _, _, noise = of_one_group(kind, 5000)
    for channel in (*noise[..., 0], *noise[..., 1]):
        assert stats.kstest(channel.numpy(), 'norm').pvalue > 1e-3
    assert stats.pearsonr(*noise[0].T.numpy()).pvalue > 1e-3


@EVERY
@pytest.mark.parametrize('drop', [0.2, 0.7])
def test_conditions_are_dropped_as_often_as_asked(kind, drop):
    keep = draw(kind, 10_000, drop=drop).keep.view(10_000, -1)
    # Of each group alone, over 10,000 images; four standard errors.
    share = 1 - keep.double().mean(0)
    error = 4 * (drop * (1 - drop) / 10_000) ** 0.5
    assert (share - drop).abs().max() < error


@EVERY
def test_without_condition_drop_every_row_keeps_its_condition(kind):
    assert draw(kind, 1000, drop=0.0).keep.all()


@EVERY
def test_drops_and_noise_say_nothing_of_the_step(kind):
    uniform, drop, noise = of_one_group(kind)
    tenth = (10 * uniform).long()
    table = torch.stack([torch.bincount(tenth[dropped], minlength=10) for dropped in (drop, ~drop)])
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-3
    for other in (noise[0, :, 0], noise[0, :, 0].square()):
        for known in (uniform, drop.double()):
            assert stats.pearsonr(other.numpy(), known.numpy()).pvalue > 1e-3


@EVERY
def test_groups_of_different_images_are_independent(kind):
    uniform, _, keep = draw(kind, 20_000)
    for part in (uniform, keep.double()):
        of_images = part.view(20_000, -1)[:, 4].numpy()
        even, odd = of_images[::2], of_images[1::2]
        assert stats.pearsonr(even, odd).pvalue > 1e-3


@EVERY
def test_a_generator_makes_draws_repeatable(kind):
    draws = kind(REPEATS, DROP)
    before = torch.get_rng_state()
    first, again, other = (draws((2, TOKENS, 2), CPU, seeded(seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not first.uniform.equal(other.uniform)
    assert torch.get_rng_state().equal(before)


def test_independent_rows_have_steps_and_noise_of_their_own():
    uniform, noise, _ = draw(IndependentNoise, 2, repeats=1000)
    assert len(uniform.unique()) > 5990
    assert len(noise[0].unique(dim=0)) == 6000


def test_antithetic_noise_comes_in_opposite_pairs():
    noise, other = draw(AntitheticNoise, 2, repeats=1000).noise
    assert other.equal(-noise)
    assert len(noise.unique(dim=0)) == 3000


@pytest.mark.parametrize('repeats', [2, 10, 30])
def test_antithetic_steps_are_evenly_spaced(repeats):
    """Those of an image, and those of each of its tokens."""
    uniform = draw(AntitheticNoise, 50, repeats=repeats).uniform
    for steps in (uniform.view(50, -1), uniform.view(50 * TOKENS, -1)):
        gaps = steps.sort(dim=1).values.diff(dim=1)
        torch.testing.assert_close(gaps, torch.full_like(gaps, 1 / steps.size(1)))


@pytest.mark.parametrize('drop', [0.1, 0.2, 0.5])
def test_antithetic_drops_are_evenly_shared(drop):
    """An image loses its condition as often as the others, up to one."""
    keep = draw(AntitheticNoise, 1000, repeats=10, drop=drop).keep
    counts = (~keep).view(1000, -1).sum(1)
    expected = drop * TOKENS * 5
    assert (counts - expected).abs().max() < 1 + 1e-6
    assert counts.double().mean().item() == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize('repeats', [1, 7])
def test_antithetic_repeats_come_in_pairs(repeats):
    with pytest.raises(ValueError, match=f'={repeats} is odd.*use {repeats + 1}'):
        AntitheticNoise(repeats, DROP)


def test_a_head_draws_what_it_was_told_to():
    for name, kind in zip(('independent', 'antithetic'), KINDS):
        head = small_head(noise_sampling=name, condition_drop=0.7)
        draws = head.training_noise(2, CPU, seeded())
        assert isinstance(draws, TrainingNoise)
        expected = kind(4, 0.7)((2, 3, 4), CPU, seeded())
        assert all(map(torch.equal, draws, expected))


def loss_and_gradients(head, condition, target) -> list:
    """The loss, its gradient by the condition, and that by the parameters."""
    condition = condition.clone().requires_grad_()
    loss = head.loss(condition, target)
    of_condition, *rest = torch.autograd.grad(loss, [condition, *head.parameters()])
    return [
        loss.detach()[None],
        of_condition.flatten(),
        torch.cat([gradient.flatten() for gradient in rest]),
    ]


@pytest.mark.parametrize('process', ['GaussianDiffusion', 'RectifiedFlow'])
def test_antithetic_gradients_vary_less_about_the_same_expectation(process):
    """In a network that has learned a little."""
    heads = [
        small_head(
            process=dict(type=process), sampling=dict(type='ddim'), noise_sampling=noise_sampling
        )
        for noise_sampling in ('independent', 'antithetic')
    ]
    independent, antithetic = heads
    independent.denoiser.reset_parameters()
    optimizer = torch.optim.Adam(independent.parameters(), lr=5e-3)
    shape = torch.randn(6, 12) / 6**0.5
    for _ in range(200):
        condition = torch.randn(64, 6)
        optimizer.zero_grad()
        independent.loss(condition, condition @ shape).backward()
        optimizer.step()
    antithetic.load_state_dict(independent.state_dict())

    condition = torch.randn(8, 6)
    draws = [
        [loss_and_gradients(head, condition, condition @ shape) for _ in range(150)]
        for head in heads
    ]
    # One number, 48, some thousand: squares of correlated standard normals.
    # The loss itself is ruled by the rare large ones of its bound.
    for part, (mistake, ratio) in enumerate([(16, math.inf), (2, 0.6), (2, 0.9)]):
        first, second = (
            torch.stack([draw[part] for draw in of_head]).double() for of_head in draws
        )
        more, less = first.var(0), second.var(0)
        deviation = (first.mean(0) - second.mean(0)).square() / ((more + less) / 150)
        assert deviation.nan_to_num().mean() < mistake
        assert less.sum() < ratio * more.sum()
