"""Feature mixup: convex combinations of condition and target pairs."""

import torch
from torch import Tensor, nn


class FeatureMixup(nn.Module):
    """Mix conditions and targets of the batch with the same partners.

    ``z <- m z + (1 - m) z[p]``, ``u <- m u + (1 - m) u[p]`` with one
    ``m ~ Beta(beta, beta)`` and one permutation p for the batch (arXiv 2507.14503). It
    runs after contraction, before tokenization, and only while training.

    Args:
        beta: Parameter of the Beta distribution, at least 0; 0 turns mixing off, 1
            draws m uniformly. Defaults to 1.

    Raises:
        ValueError: If ``beta`` is negative.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        if beta < 0:
            raise ValueError(f'beta={beta} is negative; use 0 to turn feature mixup off.')
        self.beta = beta

    def forward(
        self, condition: Tensor, target: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            condition: Conditions, shape (B, S).
            target: Targets, shape (B, D).
            generator: Source of m and the permutation; on the device of ``condition``.

        Returns:
            Mixed conditions and targets, shapes as given.
        """
        if self.beta == 0 or not self.training:
            return condition, target
        weight, partner = self.draw(len(condition), condition.device, generator)
        return (
            torch.lerp(condition[partner], condition, weight.to(condition.dtype)),
            torch.lerp(target[partner], target, weight.to(target.dtype)),
        )

    def draw(
        self, batch_size: int, device: torch.device, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw m, shape (), and the permutation, shape (batch_size,)."""
        # Beta(b, b) as a ratio of two Gamma(b) draws, on the device. In
        # float64: for a small b both draws often underflow in float32, and
        # their ratio is 0 / 0.
        shape = torch.full((2,), self.beta, dtype=torch.float64, device=device)
        gamma = torch._standard_gamma(shape, generator=generator)
        weight = gamma[0] / gamma.sum()
        partner = torch.randperm(batch_size, device=device, generator=generator)
        return weight, partner
