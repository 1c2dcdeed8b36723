"""MobileNetV2 for small images."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .staged_backbone import KAIMING, StagedBackbone

BN = dict(type='BN')


class InvertedResidual(nn.Module):
    """A 1x1 that widens, a depthwise 3x3, and a 1x1 that narrows.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the 3x3. With stride 1 and equal channels there is a shortcut.
        expand_ratio: How much wider the middle is. With 1 there still is a first 1x1,
            which MMPretrain's block leaves out.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        width = in_channels * expand_ratio
        self.conv = nn.Sequential(
            ConvModule(in_channels, width, 1, norm_cfg=BN),
            ConvModule(width, width, 3, stride, 1, groups=width, norm_cfg=BN),
            ConvModule(width, out_channels, 1, norm_cfg=BN, act_cfg=None),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


@MODELS.register_module()
class CIFARMobileNetV2(StagedBackbone):
    """MobileNetV2 for images of 32x32, as in the CRD benchmark.

    Unlike MMPretrain's, it has fewer strides, ReLU instead of ReLU6, widths that are
    not rounded to multiples of 8, and an expansion in the first block too. The
    benchmark's "MobileNetV2" has half the width, the default here.

    Args:
        widen_factor: Factor of the channels.
        expand_ratio: Factor inside the blocks, except in the first stage.
        out_indices: Stages to return, from 0 to 7. None returns the last,
            (B, 1280, 2, 2).
        init_cfg: See :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If there is no such stage.
    """

    # Channels, blocks, stride of the first block.
    settings = (
        (16, 1, 1),
        (24, 2, 1),
        (32, 3, 2),
        (64, 4, 2),
        (96, 3, 1),
        (160, 3, 2),
        (320, 1, 1),
    )

    def __init__(
        self,
        widen_factor: float = 0.5,
        expand_ratio: int = 6,
        out_indices: Sequence[int] | None = None,
        init_cfg=KAIMING,
    ) -> None:
        channels = int(32 * widen_factor)
        stem = ConvModule(3, channels, 3, stride=2, padding=1, norm_cfg=BN)
        stages = []
        for i, (full_width, num_blocks, stride) in enumerate(self.settings):
            width = int(full_width * widen_factor)
            blocks = []
            for j in range(num_blocks):
                blocks.append(
                    InvertedResidual(channels, width, 1 if j else stride, expand_ratio if i else 1)
                )
                channels = width
            stages.append(nn.Sequential(*blocks))
        # The last layer of a narrow network keeps the full width.
        last = int(1280 * max(widen_factor, 1))
        stages.append(ConvModule(channels, last, 1, norm_cfg=BN))
        super().__init__(stem, stages, out_indices, init_cfg)
