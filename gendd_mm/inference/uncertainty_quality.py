"""What a doubt is worth: calibration, and risk against coverage."""

import torch
from torch import Tensor

__all__ = ['calibration_error', 'risk_coverage_area']


def calibration_error(confidence: Tensor, correct: Tensor, num_bins: int = 15) -> float:
    """Expected calibration error (arXiv 1706.04599, equation 3).

    Args:
        confidence: Probability of the predicted class, in [0, 1], shape (N,).
        correct: Whether the prediction is right, shape (N,).
        num_bins: Bins of one width over [0, 1], at least 1.

    Returns:
        In [0, 1]: the distance between confidence and accuracy of a bin, on average over
        images; 0 is best.

    Raises:
        ValueError: If there are no images or no bins, or the shapes differ.

    Example:
        >>> import torch
        >>> from gendd_mm.inference import calibration_error
        >>> right = torch.tensor([True, True, True, False])
        >>> calibration_error(torch.full((4,), 0.75), right)
        0.0
        >>> calibration_error(torch.ones(4), right)
        0.25
    """
    _check(confidence, correct)
    if num_bins < 1:
        raise ValueError(f'num_bins={num_bins} must be at least 1.')
    confidence = confidence.double()
    # The upper edge belongs to a bin, as in the paper.
    bins = ((confidence * num_bins).ceil().long() - 1).clamp(0, num_bins - 1)
    surplus = torch.zeros(num_bins, dtype=torch.float64)
    surplus.index_add_(0, bins, confidence - correct.double())
    return (surplus.abs().sum() / len(confidence)).item()


def risk_coverage_area(doubt: Tensor, correct: Tensor) -> float:
    """Area under the risk-coverage curve (arXiv 1805.08206).

    Images are answered in the order of their doubt; the risk at a coverage is the share of
    wrong answers among those. Images of equal doubt share what is wrong among them, so
    that their order does not matter.

    Args:
        doubt: Any score that grows with doubt, such as an entropy, shape (N,).
        correct: Whether the prediction is right, shape (N,).

    Returns:
        The mean risk over the coverages 1/N to 1, in [0, 1]; 0 is best. A doubt without
        information has the error rate.

    Raises:
        ValueError: If there are no images, or the shapes differ.

    Example:
        >>> import torch
        >>> from gendd_mm.inference import risk_coverage_area
        >>> right = torch.tensor([True, False, True, True])
        >>> risk_coverage_area(torch.tensor([0.1, 0.9, 0.2, 0.3]), right)
        0.0625
        >>> risk_coverage_area(torch.zeros(4), right)
        0.25
    """
    _check(doubt, correct)
    _, groups, counts = doubt.unique(return_inverse=True, return_counts=True)
    wrong = torch.zeros(len(counts), dtype=torch.float64)
    wrong.index_add_(0, groups, 1 - correct.double())
    each = (wrong / counts).repeat_interleave(counts)
    coverage = torch.arange(1, len(each) + 1, dtype=torch.float64)
    return (each.cumsum(0) / coverage).mean().item()


def _check(scores: Tensor, correct: Tensor) -> None:
    if scores.shape != correct.shape or scores.ndim != 1 or not len(scores):
        raise ValueError(
            f'scores have shape {tuple(scores.shape)} and correct {tuple(correct.shape)}; both '
            'need one value for each image, and at least one image.'
        )
