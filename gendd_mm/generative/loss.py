"""The GenDD objective: contraction, feature mixup, generative loss."""

import torch
from torch import Tensor, nn

from .contraction import DistributionContraction
from .feature_mixup import FeatureMixup
from .head import GenerativeHead
from .linear_head import LinearRegressionHead
from .precision import at_least_float32
from .regression_head import RegressionHead


class GenDDLoss(nn.Module):
    """Teach the student through a generative head of the teacher's features.

    Without ``labels`` and ``class_centers`` it is unsupervised.

    Args:
        head: A :class:`GenerativeHead`, or in its place a :class:`RegressionHead` or a
            :class:`LinearRegressionHead`.
        contraction: The distribution contraction. None means unsupervised: no
            contraction. Defaults to None.
        feature_mixup: The feature mixup. None means none. Defaults to None.
        loss_weight: Weight of the loss. Defaults to 1.
        num_rows: At most that many rows of a batch are learned, drawn anew each time:
            for dense features, whose cells are rows (:class:`MapsToRows`). None means
            all. Defaults to None.

    Raises:
        ValueError: If ``num_rows`` is below 1.

    Example:
        >>> import torch
        >>> from gendd_mm.generative import GenDDLoss, GenerativeHead
        >>> gendd = GenDDLoss(GenerativeHead(condition_dim=8, target_dim=64))
        >>> condition = torch.randn(4, 8, requires_grad=True)
        >>> gendd(condition, torch.randn(4, 64)).backward()
        >>> condition.grad.shape
        torch.Size([4, 8])
    """

    def __init__(
        self,
        head: GenerativeHead | RegressionHead | LinearRegressionHead,
        contraction: DistributionContraction | None = None,
        feature_mixup: FeatureMixup | None = None,
        loss_weight: float = 1.0,
        num_rows: int | None = None,
    ) -> None:
        super().__init__()
        if num_rows is not None and num_rows < 1:
            raise ValueError(f'num_rows={num_rows} must be at least 1; None takes all rows.')
        self.head = head
        self.contraction = contraction
        self.feature_mixup = feature_mixup
        self.loss_weight = loss_weight
        self.num_rows = num_rows

    def forward(
        self,
        condition: Tensor,
        target: Tensor,
        labels: Tensor | None = None,
        class_centers: Tensor | None = None,
        class_bias: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss of a batch; arguments as for :meth:`prepare`."""
        pair = self.prepare(condition, target, labels, class_centers, class_bias)
        return self.loss_weight * self.head.loss(*pair)

    def prepare(
        self,
        condition: Tensor,
        target: Tensor,
        labels: Tensor | None = None,
        class_centers: Tensor | None = None,
        class_bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Choose rows of a batch, contract and mix them for the head.

        Args:
            condition: Normalised student features, shape (B, S).
            target: Teacher features, shape (B, D).
            labels: Class indices (B,) or label distributions (B, C).
            class_centers: Rows of the teacher's classifier, shape (C, D).
            class_bias: Bias of the teacher's classifier, shape (C,).

        Returns:
            Conditions, mixed, (B, S); targets, contracted and mixed, (B, D). B is
            ``num_rows`` if there are more.

        Raises:
            ValueError: If condition and target are not rows, as many of one as the other,
                or labels are others.
        """
        shapes = f'condition {tuple(condition.shape)} and target {tuple(target.shape)}'
        if condition.dim() != 2 or target.dim() != 2:
            raise ValueError(
                f'{shapes} are not both rows (B, size); pool them, or turn dense features '
                'into rows by the connector gendd_mm.MapsToRows.'
            )
        if len(condition) != len(target):
            raise ValueError(
                f'{shapes} differ in the number of rows; each row needs its target. Dense '
                'features: pool the finer map to the grid of the coarser.'
            )
        if labels is not None and len(labels) != len(target):
            raise ValueError(
                f'labels {tuple(labels.shape)} are not those of the rows of target '
                f'{tuple(target.shape)}. Dense features need a label for each cell; without, set '
                'contraction=None.'
            )
        if self.num_rows is not None and len(condition) > self.num_rows:
            rows = torch.randperm(len(condition), device=condition.device)[: self.num_rows]
            condition, target = condition[rows], target[rows]
            labels = None if labels is None else labels[rows]
        # A teacher may run in half precision; contraction should not.
        target = at_least_float32(target.detach())
        if self.contraction is not None:
            target = self.contraction(target, labels, class_centers, class_bias)
        if self.feature_mixup is not None:
            condition, target = self.feature_mixup(condition, target)
        return condition, target
