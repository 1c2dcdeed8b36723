"""In place of a classifier, for a student that learns features alone."""

from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor

from gendd_mm.registry import MODELS


@MODELS.register_module()
class NoHead(BaseModule):
    """A head without weights, loss or labels; its output is the feature.

    Args:
        init_cfg: Initialisation config. Defaults to None.

    Example:
        >>> import torch
        >>> NoHead()((torch.ones(2, 3), torch.ones(2, 4))).shape
        torch.Size([2, 4])
    """

    # For LabelCheckHook.
    trainable = False

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """The last stage's feature."""
        return feats[-1]

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None, **kwargs
    ) -> dict:
        """No loss, and no labels."""
        return {}
