"""VGG with batch norm and one linear layer."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from gendd_mm.registry import MODELS

from .staged_backbone import KAIMING, StagedBackbone


@MODELS.register_module()
class CIFARVGG(StagedBackbone):
    """VGG for images of 32x32, as in the CRD benchmark.

    MMPretrain's VGG pools after each of its five stages, which leaves one pixel, and
    has no depth 8. This one halves the size three times, so the last map is
    (B, 512, 4, 4). Its classifier is one linear layer after global pooling; the depth
    still counts the three layers of the original.

    Args:
        depth: 8, 11, 13, 16 or 19.
        out_indices: Stages to return, from 0 to 4. None returns the last.
        init_cfg: See :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If there is no such depth or stage.
    """

    # Convolutions of each stage.
    num_convs = {
        8: (1, 1, 1, 1, 1),
        11: (1, 1, 2, 2, 2),
        13: (2, 2, 2, 2, 2),
        16: (2, 2, 3, 3, 3),
        19: (2, 2, 4, 4, 4),
    }
    channels = (64, 128, 256, 512, 512)

    def __init__(
        self, depth: int, out_indices: Sequence[int] | None = None, init_cfg=KAIMING
    ) -> None:
        if depth not in self.num_convs:
            raise ValueError(
                f'depth={depth} of CIFARVGG is unknown; choose from {list(self.num_convs)}.'
            )
        stages = []
        before = 3
        for i, (after, num) in enumerate(zip(self.channels, self.num_convs[depth], strict=True)):
            # Maps of 32, 16, 8, 4 and 4 pixels: no pooling before the last stage.
            pool = nn.MaxPool2d(2) if i in (1, 2, 3) else nn.Identity()
            convs = self._convs(before, after, num)
            stages.append(nn.Sequential(OrderedDict(pool=pool, convs=convs)))
            before = after
        super().__init__(nn.Identity(), stages, out_indices, init_cfg)

    @staticmethod
    def _convs(in_channels: int, out_channels: int, num: int) -> nn.Module:
        layers = []
        for i in range(num):
            layers += [
                nn.Conv2d(out_channels if i else in_channels, out_channels, 3, padding=1),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(inplace=True),
            ]
        return nn.Sequential(*layers)
