"""Standardizer: running moments, and a linear layer that includes them."""

import torch
from torch import nn

from gendd_mm.models.heads.standardizer import MIN_SHARE, Standardizer, fold_standardizer


def standardizer(batches) -> Standardizer:
    module = Standardizer(batches.size(-1))
    for batch in batches:
        module(batch)
    return module.eval()


def test_the_first_batches_count_evenly(float64):
    batches = 3 + 0.1 * torch.randn(5, 8, 4)
    assert 1 / MIN_SHARE > 5
    features = batches.flatten(0, 1)
    output = standardizer(batches)(features)
    torch.testing.assert_close(output.mean(0), torch.zeros(4))
    torch.testing.assert_close(output.std(0, correction=0), torch.ones(4))


def test_it_follows_features_that_move(float64):
    early, late = torch.randn(200, 8, 4), 5 + torch.randn(200, 8, 4)
    module = standardizer(torch.cat([early, late]))
    assert (module.mean - 5).abs().max() < 0.5


def test_evaluation_changes_nothing_and_gradient_stops(float64):
    module = standardizer(torch.randn(3, 8, 4))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    output = module(torch.randn(8, 4, requires_grad=True))
    assert not output.requires_grad
    assert all(value.equal(before[key]) for key, value in module.state_dict().items())


def test_a_channel_that_never_changes_gives_zero(float64):
    batches = torch.randn(3, 8, 4)
    batches[..., 1] = 0
    output = standardizer(batches)(batches[0])
    assert (output[:, 1] == 0).all()
    assert output.isfinite().all()


def test_folded_into_the_layer_behind_it(float64):
    batches = 3 + 0.1 * torch.randn(5, 8, 4)
    both = nn.Sequential(standardizer(batches), nn.Linear(4, 3))
    weights = fold_standardizer(both.state_dict(), '0', '1')
    alone = nn.Sequential(nn.Identity(), nn.Linear(4, 3))
    alone.load_state_dict(weights, strict=True)
    torch.testing.assert_close(alone(batches[0]), both(batches[0]))
    # Without one, nothing is done.
    assert fold_standardizer(weights, '0', '1') is weights
