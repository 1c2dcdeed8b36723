"""How far the draws of an image agree."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ['Spread', 'spread']


class Spread(NamedTuple):
    """Entropies in nats, each (...), float64; the first is the sum of the others."""

    # Of the mean of the draws' probabilities: all of the doubt.
    predictive_entropy: Tensor
    # Mean over the draws of their own entropy: the doubt that each of them has.
    expected_entropy: Tensor
    # Between the class and the draw: the doubt that comes from their disagreement.
    mutual_information: Tensor


def spread(draw_scores: Tensor) -> Spread:
    """Split the doubt of draws into what each has and what they disagree on.

    Args:
        draw_scores: Class probabilities of K draws, shape (..., K, C).

    Returns:
        ``predictive_entropy`` in [0, log C], ``expected_entropy``, and their difference
        ``mutual_information`` in [0, log min(K, C)].

    Example:
        >>> import torch
        >>> from gendd_mm.inference import spread
        >>> two_opinions = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> [round(each.item(), 3) for each in spread(two_opinions)]
        [0.693, 0.0, 0.693]
        >>> one_in_doubt = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
        >>> [round(each.item(), 3) for each in spread(one_in_doubt)]
        [0.693, 0.693, 0.0]
    """
    scores = draw_scores.double()
    predictive = torch.special.entr(scores.mean(-2)).sum(-1)
    expected = torch.special.entr(scores).sum(-1).mean(-1)
    # Never negative, by Jensen's inequality, but for rounding.
    information = (predictive - expected).clamp(min=0)
    return Spread(predictive, expected, information)
