"""Connectors that MMRazor lacks."""

from mmengine.model import BaseModule
from torch import Tensor

from gendd_mm.registry import MODELS


@MODELS.register_module()
class DominantClass(BaseModule):
    """Turn labels into class indices, even after mixup made them distributions.

    For losses that take hard labels alone, such as ``mmrazor.DKDLoss``, in recipes with
    mixup or CutMix.
    """

    def forward(self, labels: Tensor) -> Tensor:
        """The class with the largest share.

        Args:
            labels: Class indices (B,), or distributions (B, C).

        Returns:
            Class indices, shape (B,).
        """
        return labels if labels.dim() == 1 else labels.argmax(-1)
