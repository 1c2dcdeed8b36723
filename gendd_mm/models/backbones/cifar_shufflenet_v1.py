"""ShuffleNetV1 for small images."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmpretrain.models.utils import channel_shuffle
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .staged_backbone import KAIMING, StagedBackbone

BN = dict(type='BN')


class ShuffleUnit(nn.Module):
    """A grouped 1x1, a channel shuffle, a depthwise 3x3 and a grouped 1x1.

    MMPretrain's unit shuffles after the 3x3, has no activation there, and derives its
    middle width from the concatenated channels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        groups: Groups of the last 1x1.
        first_groups: Groups of the first 1x1.
        stride: 1 adds the input to the result. 2 pools the input and appends it, so
            only the remaining channels are computed.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, first_groups: int, stride: int
    ) -> None:
        super().__init__()
        computed = out_channels - in_channels if stride == 2 else out_channels
        width = computed // 4
        self.first_groups = first_groups
        self.compress = ConvModule(in_channels, width, 1, groups=first_groups, norm_cfg=BN)
        self.depthwise = ConvModule(width, width, 3, stride, 1, groups=width, norm_cfg=BN)
        self.expand = ConvModule(width, computed, 1, groups=groups, norm_cfg=BN, act_cfg=None)
        self.pool = nn.AvgPool2d(3, 2, padding=1) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        out = channel_shuffle(self.compress(x), self.first_groups)
        out = self.expand(self.depthwise(out))
        if self.pool is None:
            return (out + x).relu()
        return torch.cat([out, self.pool(x)], 1).relu()


@MODELS.register_module()
class CIFARShuffleNetV1(StagedBackbone):
    """ShuffleNetV1 (3 groups) for images of 32x32, as in the CRD benchmark.

    Its stem is a 1x1 convolution without stride or pooling.

    Args:
        out_indices: Stages to return, from 0 to 2. None returns the last,
            (B, 960, 4, 4).
        init_cfg: See :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If there is no such stage.
    """

    groups = 3
    # Channels and units of each stage.
    settings = ((240, 4), (480, 8), (960, 4))

    def __init__(self, out_indices: Sequence[int] | None = None, init_cfg=KAIMING) -> None:
        channels = 24
        stem = ConvModule(3, channels, 1, norm_cfg=BN)
        stages = []
        for i, (width, num_units) in enumerate(self.settings):
            units = []
            for j in range(num_units):
                # The few channels of the stem are not grouped.
                first_groups = self.groups if i or j else 1
                units.append(ShuffleUnit(channels, width, self.groups, first_groups, 1 if j else 2))
                channels = width
            stages.append(nn.Sequential(*units))
        super().__init__(stem, stages, out_indices, init_cfg)
