"""The GenDD objective: contraction, feature mixup, generative loss."""

from mmengine.model import BaseModule
from torch import Tensor

from gendd_mm.diffusion import widened
from gendd_mm.registry import MODELS


@MODELS.register_module()
class GenDDLoss(BaseModule):
    """Teach the student through a generative head of the teacher's features.

    A distillation loss for MMRazor's ``ConfigurableDistiller``: its forward
    arguments are filled by ``loss_forward_mappings``. Without ``labels`` and
    ``class_centers`` it is unsupervised.

    Args:
        head: Config of the generative head.
        contraction: Config of the distribution contraction. None means
            unsupervised: no contraction. Defaults to None.
        feature_mixup: Config of the feature mixup. None means none. Defaults
            to ``dict(type='FeatureMixup')``.
        loss_weight: Weight of the loss. Defaults to 1.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        head: dict,
        contraction: dict | None = None,
        feature_mixup: dict | None = dict(type='FeatureMixup'),
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.head = MODELS.build(dict(head, _scope_='gendd_mm'))
        self.contraction = contraction and MODELS.build(dict(contraction, _scope_='gendd_mm'))
        self.feature_mixup = feature_mixup and MODELS.build(dict(feature_mixup, _scope_='gendd_mm'))
        self.loss_weight = loss_weight

    def forward(
        self,
        condition: Tensor,
        target: Tensor,
        labels: Tensor | None = None,
        class_centers: Tensor | None = None,
        class_bias: Tensor | None = None,
    ) -> Tensor:
        """The loss of a batch, from what :meth:`prepare` takes."""
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
        """Conditions and targets as the head gets them.

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
        target = widened(target.detach())
        if self.contraction:
            target = self.contraction(target, labels, class_centers, class_bias)
        if self.feature_mixup:
            condition, target = self.feature_mixup(condition, target)
        return condition, target
