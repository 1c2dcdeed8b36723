"""ResNets of three narrow stages."""

from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.models.backbones.resnet import BasicBlock

from gendd_mm.registry import MODELS


@MODELS.register_module()
class CIFARResNet(ResNet_CIFAR):
    """ResNet of three stages for images of 32x32 (arXiv 1512.03385, 4.2).

    MMPretrain's ``ResNet_CIFAR`` is the four-stage ImageNet network with another stem.
    This one has three stages of n blocks of two convolutions, depth = 6n + 2. A
    shortcut between different shapes is a convolution, as in the CRD benchmark, not the
    padding of the original.

    "resnet8x4" and "resnet32x4" are depths 8 and 32 with stem_channels=32,
    base_channels=64.

    Args:
        depth: 8, 14, 20, ... up to 110.
        stem_channels: Channels of the stem.
        base_channels: Channels of the first stage; each later stage doubles them. The
            last map is (B, 4 * base_channels, 8, 8).
        zero_init_residual: As in ``ResNet``; off, as in the benchmark.
        out_indices, kwargs: Arguments of ``ResNet``, such as ``init_cfg``.

    Raises:
        ValueError: If ``depth`` is not one of those.
    """

    arch_settings = {6 * n + 2: (BasicBlock, (n, n, n)) for n in range(1, 19)}

    def __init__(
        self,
        depth: int,
        stem_channels: int = 16,
        base_channels: int = 16,
        out_indices: tuple = (2,),
        zero_init_residual: bool = False,
        **kwargs,
    ) -> None:
        if depth not in self.arch_settings:
            raise ValueError(
                f'depth={depth} of CIFARResNet is not 6n + 2 with n blocks a stage; choose one '
                f'of {list(self.arch_settings)}.'
            )
        super().__init__(
            depth,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=out_indices,
            zero_init_residual=zero_init_residual,
            **kwargs,
        )
