"""The mean and what it leaves: their losses, and draws with the right spread."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gendd_mm.generative import (
    DDIMSampler,
    GenerativeHead,
    MeanResidualHead,
    RectifiedFlow,
    SplitTokenizer,
    TokenDenoiser,
)


def residual(condition_dim: int, target_dim: int, **settings) -> GenerativeHead:
    return GenerativeHead(
        condition_dim,
        target_dim,
        **dict(
            tokenizer=partial(SplitTokenizer, token_dim=2),
            denoiser=partial(TokenDenoiser, width=32, depth=1),
            process=RectifiedFlow(),
            sampler=DDIMSampler(num_steps=8, guidance_scale=1.0),
            condition_drop=0.0,
            target_scale='auto',
            **settings,
        ),
    )


def head(condition_dim: int = 4, **settings) -> MeanResidualHead:
    built = MeanResidualHead(condition_dim, 4, residual, **settings)
    for parameter in built.residual.parameters():  # whose output begins at zero
        nn.init.normal_(parameter, std=0.3)
    return built


def pair(size: int = 4) -> tuple[Tensor, Tensor]:
    return torch.randn(16, size, requires_grad=True), 3 * torch.randn(16, 4)


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_loss_is_the_likelihood_of_the_mean_plus_the_generative_loss_of_the_rest():
    ours, (feature, target) = head(), pair()
    loss = ours.loss(feature, target, noise())
    left = (target - feature).detach()
    std = left.std(correction=0)
    gaussian = torch.distributions.Normal(feature.detach(), std)
    # Twice the negative log-likelihood of a number, without what the mean cannot change.
    constant = gaussian.log_prob(feature.detach()).mean()
    mean_part = -2 * (gaussian.log_prob(target).mean() - constant)
    generative = ours.residual.loss(ours.norm(feature), left, noise())
    torch.testing.assert_close(loss, mean_part + generative, rtol=1e-4, atol=1e-4)


def test_no_weight_depends_on_the_units_of_a_feature():
    ours, (feature, target) = head(), pair()
    other = MeanResidualHead(4, 4, residual)
    other.load_state_dict(ours.state_dict())
    first, second = (
        ours.loss(feature, target, noise()),
        other.loss(100 * feature, 100 * target, noise()),
    )
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('size', [4, 6])
def test_without_teaching_the_student_has_the_gradient_of_the_mean_alone(size):
    ours, (feature, target) = head(size, teaches=False), pair(size)
    ours.loss(feature, target, noise()).backward()
    mean = ours.mean(feature)
    left = (target - mean) * ours.residual.target_scale.factor
    (expected,) = torch.autograd.grad(left.square().mean(), feature)
    torch.testing.assert_close(feature.grad, expected)
    assert all(p.grad is not None for p in ours.residual.denoiser.blocks.parameters())
    taught = head(size)
    taught.load_state_dict(ours.state_dict())
    taught.loss(feature, target, noise()).backward()
    assert not torch.allclose(feature.grad, 2 * expected, rtol=1e-2)


def test_draws_have_the_mean_and_the_spread_of_the_targets():
    """Where the spread depends on the feature, which no mean can say."""
    student = nn.Linear(2, 4)
    ours = MeanResidualHead(4, 4, residual)
    optimizer = torch.optim.Adam([*student.parameters(), *ours.parameters()], lr=5e-3)
    truth = torch.randn(2, 4)

    def batch(count: int) -> tuple[Tensor, Tensor, Tensor]:
        kind = torch.arange(count) % 2
        images = torch.nn.functional.one_hot(kind, 2).float()
        spread = torch.tensor([0.1, 1.0])[kind]
        return images, images @ truth + spread[:, None] * torch.randn(count, 4), spread

    for _ in range(400):
        images, target, _ = batch(64)
        loss = ours.loss(student(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, _, _ = batch(2)
    ours.eval()
    draws = ours.sample(student(images), 2000)
    torch.testing.assert_close(draws.mean(0), images @ truth, atol=0.15, rtol=0)
    found = draws.std(0).mean(1)
    assert found[0] < 0.3
    assert 0.75 < found[1] < 1.25


def test_a_scale_that_is_not_measured_is_refused():
    with pytest.raises(ValueError, match=r'target_scale=1.0 .* must be'):
        MeanResidualHead(
            4, 4, partial(GenerativeHead, tokenizer=partial(SplitTokenizer, token_dim=2))
        )
