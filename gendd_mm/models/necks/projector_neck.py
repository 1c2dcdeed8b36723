"""A student's feature in the space of its teacher's."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from gendd_mm.models.heads import ConvProjector
from gendd_mm.registry import MODELS


@MODELS.register_module()
class ProjectorNeck(BaseModule):
    """SimKD's projector as a neck: the last map to the teacher's channels, then pooled.

    It stays in the student that ships. A projector of the student's own is worth as much as
    most choices of a loss, in logit distillation too (arXiv 2310.17183), so compare methods
    with it or without it.

    Args:
        in_channels: Channels of the student's map. :class:`GenDD` measures it if left out.
        out_channels: Size D of the teacher's feature. Likewise.
        reduction, map_size: As in :class:`ConvProjector`.
        relu: Whether the projected map ends with a ReLU, as the maps of most convolutional
            teachers do. A feature that may be negative cannot be learned with it. Defaults
            to False.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``reduction`` leaves no channel.

    Example:
        >>> import torch
        >>> neck = ProjectorNeck(in_channels=4, out_channels=16)
        >>> [feature.shape for feature in neck((torch.randn(2, 4, 7, 7),))]
        [torch.Size([2, 16])]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        reduction: int = 2,
        map_size: int | None = None,
        relu: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projector = ConvProjector(in_channels, out_channels, reduction, map_size, relu)

    def forward(self, feats: Tensor | Sequence[Tensor]) -> tuple[Tensor]:
        """Project and pool.

        Args:
            feats: Features of the backbone, of which the last counts: a map (B, S, H, W), or
                a pooled feature (B, S), which is a map of one cell.

        Returns:
            The feature, shape (B, D).

        Raises:
            ValueError: If the feature is neither.
        """
        feature = feats if isinstance(feats, Tensor) else feats[-1]
        if feature.dim() == 2:
            feature = feature[..., None, None]
        return (self.projector(feature).mean((2, 3)),)
