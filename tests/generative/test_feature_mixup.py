"""FeatureMixup: convex, the same for both, Beta distributed."""

import pytest
import torch
from mmengine.registry import MODELS
from scipy import stats

from gendd_mm.generative import FeatureMixup


def test_condition_and_target_share_weight_and_partners(float64):
    condition, target = torch.randn(6, 3), torch.randn(6, 5)
    both = torch.cat([condition, target], 1)
    mixup = FeatureMixup()
    mixed = mixup(condition, target, torch.Generator().manual_seed(0))
    weight, partner = mixup.draw(6, torch.device('cpu'), torch.Generator().manual_seed(0))
    assert sorted(partner.tolist()) == list(range(6))
    torch.testing.assert_close(torch.cat(mixed, 1), weight * both + (1 - weight) * both[partner])


def test_mixing_is_convex_and_keeps_the_mean():
    ones, values = torch.ones(50, 1), torch.rand(50, 4)
    mixed_ones, mixed = FeatureMixup()(ones, values)
    torch.testing.assert_close(mixed_ones, ones)
    assert values.min() <= mixed.min()
    assert mixed.max() <= values.max()
    torch.testing.assert_close(mixed.mean(0), values.mean(0))


def draw_weights(beta: float, count: int) -> torch.Tensor:
    mixup, generator = FeatureMixup(beta), torch.Generator().manual_seed(0)
    return torch.stack([mixup.draw(1, torch.device('cpu'), generator)[0] for _ in range(count)])


@pytest.mark.parametrize('beta', [0.2, 1, 4])
def test_weight_is_beta_distributed(beta):
    weights = draw_weights(beta, 2000)
    test = stats.kstest(weights.numpy(), stats.beta(beta, beta).cdf)
    assert test.pvalue > 0.01
    assert weights.mean().item() == pytest.approx(0.5, abs=0.03)
    assert weights.var().item() == pytest.approx(1 / (4 * (2 * beta + 1)), rel=0.1)


def test_a_tiny_beta_leaves_almost_nothing_mixed():
    weights = draw_weights(0.01, 2000)
    mixed = ((weights > 0.01) & (weights < 0.99)).float().mean().item()
    cdf = stats.beta(0.01, 0.01).cdf
    assert mixed == pytest.approx(cdf(0.99) - cdf(0.01), abs=0.015)


def test_beta_0_changes_nothing():
    condition, target = torch.randn(4, 3), torch.randn(4, 5)
    mixed = FeatureMixup(beta=0)(condition, target)
    assert mixed[0] is condition
    assert mixed[1] is target


def test_evaluation_changes_nothing():
    condition, target = torch.randn(4, 3), torch.randn(4, 5)
    mixed = FeatureMixup().eval()(condition, target)
    assert mixed[0] is condition
    assert mixed[1] is target


def test_gradient_reaches_the_condition():
    condition = torch.randn(4, 3, requires_grad=True)
    mixed, _ = FeatureMixup()(condition, torch.randn(4, 5))
    mixed.sum().backward()
    # Every image's shares sum to one.
    torch.testing.assert_close(condition.grad, torch.ones(4, 3))


def test_half_precision_stays():
    mixed = FeatureMixup()(torch.randn(4, 3).half(), torch.randn(4, 5))
    assert [tensor.dtype for tensor in mixed] == [torch.float16, torch.float32]


def test_a_negative_beta_is_an_error():
    with pytest.raises(ValueError, match='beta=-1 is negative; use 0'):
        FeatureMixup(beta=-1)


def test_builds_in_other_projects(build):
    assert isinstance(build(MODELS, type='gendd_mm.FeatureMixup', beta=0.5), FeatureMixup)
