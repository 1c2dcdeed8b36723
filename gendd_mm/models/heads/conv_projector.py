"""Project the student's feature map to the size of the teacher's."""

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, Sequential
from torch import Tensor

from gendd_mm.registry import MODELS


@MODELS.register_module()
class ConvProjector(BaseModule):
    """Bottleneck of 1x1, 3x3 and 1x1 convolutions, with batch norm and ReLU.

    SimKD's projector (arXiv 2203.14001, Sec. 3). The last ReLU suits a teacher whose
    map ends with one.

    Args:
        in_channels: Channels of the student's map.
        out_channels: Channels of the teacher's map, D.
        reduction: The bottleneck has ``out_channels // reduction`` channels. Defaults
            to 2, as in the paper.
        map_size: Side of the teacher's map, to which a student's larger map is averaged
            first. None leaves it. Defaults to None.
        relu: Whether the last layer ends with it. Defaults to True, as in the paper.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``reduction`` leaves no channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        reduction: int = 2,
        map_size: int | None = None,
        relu: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 1 <= reduction <= out_channels:
            raise ValueError(
                f'reduction={reduction} leaves no channel of '
                f'{out_channels}; choose it from 1 to that.'
            )
        self.map_size = map_size
        width = out_channels // reduction
        norm_cfg = dict(type='BN')
        self.layers = Sequential(
            ConvModule(in_channels, width, 1, norm_cfg=norm_cfg),
            ConvModule(width, width, 3, padding=1, norm_cfg=norm_cfg),
            ConvModule(
                width,
                out_channels,
                1,
                norm_cfg=norm_cfg,
                act_cfg=dict(type='ReLU') if relu else None,
            ),
        )

    def forward(self, feature: Tensor) -> Tensor:
        """Project maps, shape (B, S, H, W), to (B, D, H', W').

        Raises:
            ValueError: If the feature is no map.
        """
        if feature.dim() != 4:
            raise ValueError(
                f'a feature of shape {tuple(feature.shape)} is no map (B, S, H, W); leave out the '
                "student's neck, or use projection=None."
            )
        if self.map_size is not None:
            feature = F.adaptive_avg_pool2d(feature, self.map_size)
        return self.layers(feature)
