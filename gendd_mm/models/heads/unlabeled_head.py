"""A classifier that learns by distillation alone."""

from mmpretrain.models import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from gendd_mm.registry import MODELS


@MODELS.register_module()
class UnlabeledClsHead(LinearClsHead):
    """``LinearClsHead`` without a loss of its own, for unlabeled images.

    MMRazor's ``SingleTeacherDistill`` calls the losses of teacher and student to record
    their scores, and these losses read labels. Here the loss only computes the scores.
    The weights are those of a ``LinearClsHead``.
    """

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None, **kwargs
    ) -> dict:
        """Compute the scores, for recorders to see; no loss, no labels."""
        self(feats)
        return {}
