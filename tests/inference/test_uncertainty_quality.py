"""Measures of a doubt: their laws, and scikit-learn's calibration curve."""

import doctest
import importlib

import numpy as np
import pytest
import torch

from gendd_mm.inference import calibration_error, risk_coverage_area


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences, and whether each is right, as often as it says."""
    confidence = torch.rand(4000, dtype=torch.float64)
    return confidence, torch.rand(4000) < confidence


def test_calibration_is_that_of_scikit_learns_bins(answers):
    curve = pytest.importorskip('sklearn.calibration').calibration_curve
    confidence, correct = answers
    confidence = confidence**2  # too timid
    share, mean = curve(correct.numpy(), confidence.numpy(), n_bins=15)
    counts = np.histogram(confidence.numpy(), bins=np.linspace(0, 1, 16))[0]
    expected = (np.abs(share - mean) * counts[counts > 0]).sum() / len(confidence)
    assert calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


def test_honest_confidence_is_calibrated(answers):
    confidence, correct = answers
    assert calibration_error(confidence, correct) < 0.03
    assert calibration_error(1 - confidence, correct) > 0.3
    # In one bin only the means count.
    bias = abs(confidence.mean() - correct.double().mean())
    assert calibration_error(confidence, correct, 1) == pytest.approx(bias.item())


def test_edges_belong_to_a_bin():
    ends = torch.tensor([0.0, 1.0, 0.2, 0.4])
    assert calibration_error(ends, torch.tensor([False, True, True, True]), 5) == pytest.approx(
        0.35
    )


def test_risk_is_that_of_answering_in_order(answers):
    confidence, correct = answers
    doubt = -confidence
    order = doubt.argsort()
    risks = [(~correct[order[:count]]).double().mean() for count in range(1, len(order) + 1)]
    assert risk_coverage_area(doubt, correct) == pytest.approx(torch.stack(risks).mean().item())


def test_risk_depends_on_the_order_of_doubts_alone(answers):
    confidence, correct = answers
    area = risk_coverage_area(-confidence, correct)
    assert risk_coverage_area((-3 * confidence).exp(), correct) == area
    shuffled = torch.randperm(len(correct))
    assert risk_coverage_area(-confidence[shuffled], correct[shuffled]) == pytest.approx(area)


def test_no_doubt_beats_knowing_what_is_wrong(answers):
    _, correct = answers
    error = (~correct).double().mean().item()
    assert risk_coverage_area(torch.zeros(len(correct)), correct) == pytest.approx(error)
    best = risk_coverage_area(~correct, correct)
    worst = risk_coverage_area(correct, correct)
    assert best < risk_coverage_area(-answers[0], correct) < error < worst


@pytest.mark.parametrize('measure', [calibration_error, risk_coverage_area])
@pytest.mark.parametrize('shapes', [((0,), (0,)), ((3,), (2,)), ((2, 2), (2, 2))])
def test_shapes_that_do_not_fit_are_named(measure, shapes):
    scores, correct = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match='one value for each image'):
        measure(scores, correct)
    with pytest.raises(ValueError, match='num_bins=0 must be at least 1'):
        calibration_error(torch.ones(2), torch.ones(2), 0)


def test_examples_run():
    module = importlib.import_module('gendd_mm.inference.uncertainty_quality')
    assert doctest.testmod(module).failed == 0
