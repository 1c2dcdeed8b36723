"""Regression by a linear layer: what most feature distillation does."""

import torch.nn.functional as F
from torch import Tensor, nn

from .precision import at_least_float32
from .regression_head import DeterministicHead

LOSSES = ('mse', 'cosine')


class LinearRegressionHead(DeterministicHead):
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
        super().__init__(target_scale)
        if loss not in LOSSES:
            raise ValueError(f'loss={loss!r} is unknown; choose from {LOSSES}.')
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.kind = loss
        self.layer = nn.Linear(condition_dim, target_dim)

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.

        Returns:
            Scalar loss, float32 at least.
        """
        predicted = self.regress(condition)
        target = self.target_scale(at_least_float32(target).to(predicted))
        if self.kind == 'mse':
            return F.mse_loss(predicted, target)
        return 1 - F.cosine_similarity(predicted, target).mean()

    def regress(self, condition: Tensor) -> Tensor:
        """As of :class:`DeterministicHead`; of the loss ``'cosine'`` only its direction counts."""
        return at_least_float32(self.layer(condition))
