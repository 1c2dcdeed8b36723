"""The spread over draws: its laws, and SciPy's entropy."""

import doctest
import importlib
import math

import pytest
import torch
from scipy.stats import entropy

from gendd_mm.inference import spread


def distributions(*shape: int, sharpness: float = 3.0) -> torch.Tensor:
    return (sharpness * torch.randn(*shape)).softmax(-1)


def test_it_is_scipys_entropy():
    scores = distributions(7, 5, 4)
    found = spread(scores)
    own = scores.double().numpy()
    predictive = torch.from_numpy(entropy(own.mean(1), axis=-1))
    expected = torch.from_numpy(entropy(own, axis=-1).mean(1))
    # SciPy normalises what sums to one in single precision.
    tolerance = dict(rtol=0, atol=1e-6)
    torch.testing.assert_close(found.predictive_entropy, predictive, **tolerance)
    torch.testing.assert_close(found.expected_entropy, expected, **tolerance)
    # The mean divergence of a draw from the mean of all.
    divergence = entropy(own, own.mean(1, keepdims=True), axis=-1).mean(1)
    torch.testing.assert_close(found.mutual_information, torch.from_numpy(divergence), **tolerance)


@pytest.mark.parametrize('sharpness', [0.01, 1.0, 30.0, 1000.0])
def test_doubt_is_the_sum_of_its_parts_and_within_bounds(sharpness):
    draws, classes = 6, 9
    predictive, expected, information = spread(
        distributions(200, draws, classes, sharpness=sharpness)
    )
    torch.testing.assert_close(predictive, expected + information, rtol=0, atol=1e-12)
    assert information.min() >= 0
    assert expected.min() >= 0
    assert predictive.max() <= math.log(classes) + 1e-6
    assert information.max() <= math.log(min(draws, classes)) + 1e-6


@pytest.mark.parametrize('draws', [1, 2, 3, 7])
def test_equal_draws_agree(draws):
    scores = distributions(50, 1, 10).expand(-1, draws, -1)
    found = spread(scores)
    assert found.mutual_information.max() <= 1e-12
    torch.testing.assert_close(found.predictive_entropy, found.expected_entropy)


def test_certain_draws_of_different_classes_disagree_alone():
    scores = torch.eye(4).expand(2, 4, 4)
    predictive, expected, information = spread(scores)
    assert expected.abs().max() == 0
    torch.testing.assert_close(predictive, torch.full((2,), math.log(4), dtype=torch.float64))
    assert torch.equal(information, predictive)


def test_the_order_of_draws_and_classes_does_not_matter():
    scores = distributions(5, 4)
    other = scores[torch.randperm(5)][:, torch.randperm(4)]
    for value, shuffled in zip(spread(scores), spread(other)):
        torch.testing.assert_close(value, shuffled)


def test_another_opinion_that_was_there_adds_no_doubt():
    scores = distributions(5, 4)
    for once, twice in zip(spread(scores), spread(torch.cat([scores, scores]))):
        torch.testing.assert_close(once, twice)


def test_the_example_runs():
    assert doctest.testmod(importlib.import_module('gendd_mm.inference.spread')).failed == 0
