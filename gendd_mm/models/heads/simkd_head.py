"""SimKD: a student that learns features and borrows the classifier."""

from typing import Any

from mmpretrain.structures import DataSample
from torch import Tensor

from gendd_mm.registry import MODELS

from .reused_head import ReusedClassifierHead


@MODELS.register_module()
class SimKDHead(ReusedClassifierHead):
    """Projector and frozen teacher classifier, trained by features alone.

    Chen et al., arXiv 2203.14001: no cross-entropy and no labels; a squared error
    between the projected feature and the teacher's is the only loss. In MMRazor that is
    a ``ModuleOutputs`` recorder of ``head.projection`` and an ``L2Loss``
    (configs/digits/simkd_digits.py).

    Args:
        projection: Config of the projector. None means ``Linear(S, D)`` on pooled
            features. Defaults to ``dict(type='ConvProjector')``, the paper's, on maps:
            the student needs no neck.
        kwargs: Arguments of :class:`ReusedClassifierHead`.
    """

    def __init__(
        self, *, projection: dict | None = dict(type='ConvProjector'), **kwargs: Any
    ) -> None:
        super().__init__(projection=projection, **kwargs)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs) -> dict:
        """Project, for the recorder; no loss of its own.

        Args:
            feats: Features of the backbone or neck; the last one counts.
            data_samples: Not read.
        """
        self.projection(self.pre_logits(feats))
        return {}
