"""The CIFAR-100 networks of the CRD benchmark (arXiv 1910.10699).

Its checkpoints are ``ckpt_epoch_240.pth`` with the weights under "model".
"""

from .architecture import Architecture, Rules
from .torchvision_resnets import RESNET_RULES

WIDE_RESNET_RULES: Rules = (
    (r'((conv1|bn1)\..+)', r'backbone.\1'),
    (r'block(\d)\.layer\.(\d+)\.convShortcut\.(.+)', r'backbone.layer\1.\2.downsample.\3'),
    (r'block(\d)\.layer\.(\d+)\.((bn|conv)\d\..+)', r'backbone.layer\1.\2.\3'),
    (r'fc\.(weight|bias)', r'head.fc.\1'),
)

VGG_RULES: Rules = (
    (r'block(\d)\.(.+)', r'backbone.stages.\1.convs.\2'),
    (r'classifier\.(weight|bias)', r'head.fc.\1'),
)

BOTTLENECK_RULES: Rules = (
    (r'(layer\d\.\d+)\.shortcut\.(.+)', r'backbone.\1.downsample.\2'),
    (r'((conv1|bn1|layer\d)\..+)', r'backbone.\1'),
    (r'linear\.(weight|bias)', r'head.fc.\1'),
)


def _resnet(depth: int, width: int = 1) -> Architecture:
    # The benchmark's "x4" has a stem of 32, not of 64.
    stem = 16 if width == 1 else 8 * width
    return Architecture(
        dict(
            type='gendd_mm.CIFARResNet', depth=depth, stem_channels=stem, base_channels=16 * width
        ),
        64 * width,
        RESNET_RULES,
    )


def _wide_resnet(depth: int, width: int) -> Architecture:
    return Architecture(
        dict(type='mmrazor.WideResNet', depth=depth, widen_factor=width),
        64 * width,
        WIDE_RESNET_RULES,
    )


def _vgg(depth: int) -> Architecture:
    return Architecture(dict(type='gendd_mm.CIFARVGG', depth=depth), 512, VGG_RULES)


CRD = dict(
    resnet8=_resnet(8),
    resnet14=_resnet(14),
    resnet20=_resnet(20),
    resnet32=_resnet(32),
    resnet44=_resnet(44),
    resnet56=_resnet(56),
    resnet110=_resnet(110),
    resnet8x4=_resnet(8, 4),
    resnet32x4=_resnet(32, 4),
    wrn_16_1=_wide_resnet(16, 1),
    wrn_16_2=_wide_resnet(16, 2),
    wrn_40_1=_wide_resnet(40, 1),
    wrn_40_2=_wide_resnet(40, 2),
    vgg8=_vgg(8),
    vgg11=_vgg(11),
    vgg13=_vgg(13),
    vgg16=_vgg(16),
    vgg19=_vgg(19),
    ResNet50=Architecture(dict(type='mmpretrain.ResNet_CIFAR', depth=50), 2048, BOTTLENECK_RULES),
)
