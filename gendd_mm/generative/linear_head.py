"""Regression by a linear layer: what most feature distillation does."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import at_least_float32
from .samplers import Sampler
from .target_scale import TargetScale

LOSSES = ('mse', 'cosine')


class LinearRegressionHead(nn.Module):
    """Regress the teacher's feature by a linear layer, as a baseline.

    It takes the generative head's place in ``GenDDLoss(head=...)``, so that both train with
    the same teacher, images and evaluation.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        loss: ``'mse'``, the mean squared error, or ``'cosine'``, one minus the cosine
            similarity, mean over the batch. Defaults to ``'mse'``.
        target_scale: Factor on the targets, a positive number or ``'auto'`` for unit
            variance. Defaults to 1.

    Raises:
        ValueError: If ``loss`` is unknown.

    Example:
        >>> import torch
        >>> from gendd_mm.generative import LinearRegressionHead
        >>> head = LinearRegressionHead(condition_dim=8, target_dim=64)
        >>> head.sample(torch.randn(4, 8)).shape
        torch.Size([1, 4, 64])
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        loss: str = 'mse',
        target_scale: float | str = 1.0,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f'loss={loss!r} is unknown; choose from {LOSSES}.')
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.kind = loss
        self.target_scale = TargetScale(target_scale)
        self.layer = nn.Linear(condition_dim, target_dim)

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.

        Returns:
            Scalar loss, float32 at least.
        """
        predicted = at_least_float32(self.layer(condition))
        target = self.target_scale(at_least_float32(target).to(predicted))
        if self.kind == 'mse':
            return F.mse_loss(predicted, target)
        return 1 - F.cosine_similarity(predicted, target).mean()

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
    ) -> Tensor:
        """The regressed features; every draw is the same.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Draws K, at least 1.
            generator: Not used: nothing is random.
            sampler: Not used.

        Returns:
            Features, shape (K, B, D), a view of one draw. With the loss ``'cosine'`` only
            their direction means something.

        Raises:
            ValueError: If ``num_draws`` is below 1.
        """
        if num_draws < 1:
            raise ValueError(f'num_draws={num_draws} must be at least 1; all draws are the same.')
        feature = self.target_scale.undo(at_least_float32(self.layer(condition)))
        return feature.expand(num_draws, -1, -1)
