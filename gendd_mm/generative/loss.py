"""The GenDD objective: contraction, feature mixup, generative loss."""

from torch import Tensor, nn

from .contraction import DistributionContraction
from .feature_mixup import FeatureMixup
from .head import GenerativeHead
from .precision import at_least_float32
from .regression_head import RegressionHead


class GenDDLoss(nn.Module):
    """Teach the student through a generative head of the teacher's features.

    Without ``labels`` and ``class_centers`` it is unsupervised.

    Args:
        head: A :class:`GenerativeHead`, or a :class:`RegressionHead`.
        contraction: The distribution contraction. None means unsupervised: no
            contraction. Defaults to None.
        feature_mixup: The feature mixup. None means none. Defaults to None.
        loss_weight: Weight of the loss. Defaults to 1.

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
        head: GenerativeHead | RegressionHead,
        contraction: DistributionContraction | None = None,
        feature_mixup: FeatureMixup | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.head = head
        self.contraction = contraction
        self.feature_mixup = feature_mixup
        self.loss_weight = loss_weight

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
        """Contract and mix a batch for the head.

        Args:
            condition: Normalised student features, shape (B, S).
            target: Teacher features, shape (B, D).
            labels: Class indices (B,) or label distributions (B, C).
            class_centers: Rows of the teacher's classifier, shape (C, D).
            class_bias: Bias of the teacher's classifier, shape (C,).

        Returns:
            Conditions, mixed, (B, S); targets, contracted and mixed, (B, D).
        """
        # A teacher may run in half precision; contraction should not.
        target = at_least_float32(target.detach())
        if self.contraction is not None:
            target = self.contraction(target, labels, class_centers, class_bias)
        if self.feature_mixup is not None:
            condition, target = self.feature_mixup(condition, target)
        return condition, target
