"""ShuffleNetV2 for small images."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones.shufflenet_v2 import InvertedResidual
from torch import nn

from gendd_mm.registry import MODELS

from .staged_backbone import KAIMING, StagedBackbone

BN = dict(type='BN')


@MODELS.register_module()
class CIFARShuffleNetV2(StagedBackbone):
    """ShuffleNetV2 (1x) for images of 32x32, as in the CRD benchmark.

    MMPretrain's units behind a stem that is a 1x1 convolution without stride or
    pooling.

    Args:
        out_indices: Stages to return, from 0 to 3. None returns the last,
            (B, 1024, 4, 4).
        init_cfg: See :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If there is no such stage.
    """

    # Channels and units of each stage.
    settings = ((116, 4), (232, 8), (464, 4))

    def __init__(self, out_indices: Sequence[int] | None = None, init_cfg=KAIMING) -> None:
        channels = 24
        stem = ConvModule(3, channels, 1, norm_cfg=BN)
        stages = []
        for width, num_units in self.settings:
            units = []
            for j in range(num_units):
                units.append(InvertedResidual(channels, width, stride=1 if j else 2))
                channels = width
            stages.append(nn.Sequential(*units))
        stages.append(ConvModule(channels, 1024, 1, norm_cfg=BN))
        super().__init__(stem, stages, out_indices, init_cfg)
