"""The base of convolutional backbones without branches."""

from collections.abc import Iterable, Sequence

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

# As in MMPretrain's ResNet: normal, by fan-out.
KAIMING = (
    dict(type='Kaiming', layer=['Conv2d']),
    dict(type='Constant', val=1, layer=['BatchNorm2d']),
)


class StagedBackbone(BaseBackbone):
    """A stem, then stages one after the other.

    Args:
        stem: The layers before the stages.
        stages: The stages.
        out_indices: Stages to return, counted from 0. None returns the last.
        init_cfg: See :class:`mmengine.model.BaseModule`. None keeps torch's
            initialisation.

    Raises:
        ValueError: If there is no such stage.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Iterable[nn.Module],
        out_indices: Sequence[int] | None,
        init_cfg,
    ) -> None:
        super().__init__(init_cfg)
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        last = len(self.stages) - 1
        self.out_indices = (last,) if out_indices is None else out_indices
        if not self.out_indices or not set(self.out_indices) <= set(range(last + 1)):
            raise ValueError(
                f'out_indices={out_indices} of {type(self).__name__} must name one or more of '
                f'its stages, 0 to {last}.'
            )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices``, before pooling.

        Args:
            images: Shape (B, 3, H, W).

        Returns:
            Maps (B, channels, height, width), in the order of the stages.
        """
        maps = []
        x = self.stem(images)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                maps.append(x)
        return tuple(maps)
