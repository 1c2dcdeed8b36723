"""Features of zero mean and unit variance, by running statistics."""

import torch
from torch import Tensor, nn

from gendd_mm.generative.running_statistics import update_moments

# Each batch takes at least this share of the running statistics.
MIN_SHARE = 0.05
MIN_VARIANCE = 1e-12


class Standardizer(nn.Module):
    """``(f - mean) / std`` of each channel, without gradient.

    Batch normalization without parameters, except that training normalises by the same
    running statistics as testing. They cover all ranks and are saved.

    Args:
        num_channels: Feature size S.
    """

    num_batches: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.register_buffer('num_batches', torch.zeros(()))
        self.register_buffer('mean', torch.zeros(num_channels))
        self.register_buffer('square', torch.ones(num_channels))

    @torch.no_grad()
    def forward(self, feature: Tensor) -> Tensor:
        """Standardise features, shape (B, S).

        In training, the features update the statistics first.
        """
        if self.training:
            moments = (self.mean, self.square)
            update_moments(moments, self.num_batches, feature, 0, MIN_SHARE)
        return (feature - self.mean) * _inverse_std(self.mean, self.square)


def fold_standardizer(
    weights: dict[str, Tensor], standardizer: str, linear: str
) -> dict[str, Tensor]:
    """Fold a standardizer into the linear layer behind it.

    Args:
        weights: State dict of a model that may have a standardizer.
        standardizer: Its name in the model.
        linear: Name of the linear layer behind it.

    Returns:
        A state dict without the standardizer.
    """
    names = {part: f'{standardizer}.{part}' for part in ('num_batches', 'mean', 'square')}
    if names['mean'] not in weights:
        return weights
    weights = dict(weights)
    _, mean, square = (weights.pop(name).double() for name in names.values())
    weight, bias = (weights[f'{linear}.{part}'] for part in ('weight', 'bias'))
    folded = weight.double() * _inverse_std(mean, square)
    weights[f'{linear}.weight'] = folded.to(weight)
    weights[f'{linear}.bias'] = (bias.double() - folded @ mean).to(bias)
    return weights


def _inverse_std(mean: Tensor, square: Tensor) -> Tensor:
    """0 for a channel that never changes: it carries no information."""
    variance = square - mean.square()
    return torch.where(variance > MIN_VARIANCE, variance, torch.inf).rsqrt()
