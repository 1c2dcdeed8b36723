"""Bring targets to the scale of the noise, and samples back."""

import torch
from torch import Tensor, nn

from .running_statistics import update_moments

# Each batch takes at least this share of the running statistics.
MIN_SHARE = 0.01


class TargetScale(nn.Module):
    """Multiply targets by a number, or by their inverse standard deviation.

    Noise has unit variance. The contracted features of a teacher often have a hundredth
    of that and drown in it. With targets scaled before the process and samples after
    it, the levels of the noise schedule mean what they say.

    Args:
        scale: Positive factor, or ``'auto'``: the inverse of the running standard
            deviation over all entries of the training targets, equal on all ranks and
            saved.

    Raises:
        ValueError: If ``scale`` is neither.
    """

    num_batches: Tensor
    moments: Tensor

    def __init__(self, scale: float | str = 1.0) -> None:
        super().__init__()
        if scale != 'auto' and (isinstance(scale, str) or not scale > 0):
            raise ValueError(
                f"target_scale={scale!r} must be a positive number, or 'auto' for unit variance."
            )
        self.scale = scale
        if scale == 'auto':
            self.register_buffer('num_batches', torch.zeros(()))
            # Mean and mean square.
            self.register_buffer('moments', torch.tensor([0.0, 1.0]))

    @property
    def factor(self) -> float | Tensor:
        """The factor on targets."""
        if not isinstance(self.scale, str):
            return self.scale
        mean, square = self.moments
        return (square - mean.square()).clamp(min=1e-12).rsqrt()

    @torch.no_grad()
    def forward(self, target: Tensor) -> Tensor:
        """Scale targets, shape (B, D), without gradient.

        In training, the targets update the statistics first.
        """
        if self.scale == 'auto' and self.training:
            update_moments(self.moments, self.num_batches, target, None, MIN_SHARE)
        return target.detach() if self.scale == 1 else target * self.factor

    def undo(self, sample: Tensor) -> Tensor:
        """Bring samples back to the scale of the targets, any shape."""
        return sample / self.factor
