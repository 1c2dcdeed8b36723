"""ResNet and ResNeXt of torchvision, and of timm, which uses the same keys."""

from .architecture import Architecture, Rules

# mmpretrain's blocks have torchvision's names.
RESNET_RULES: Rules = (
    (r'((conv1|bn1|layer\d)\..+)', r'backbone.\1'),
    (r'fc\.(weight|bias)', r'head.fc.\1'),
)


def _resnet(depth: int, feature_dim: int = 2048) -> Architecture:
    return Architecture(dict(type='ResNet', depth=depth), feature_dim, RESNET_RULES)


def _resnext(depth: int, groups: int, width_per_group: int) -> Architecture:
    return Architecture(
        dict(type='ResNeXt', depth=depth, groups=groups, width_per_group=width_per_group),
        2048,
        RESNET_RULES,
    )


TORCHVISION = dict(
    resnet18=_resnet(18, 512),
    resnet34=_resnet(34, 512),
    resnet50=_resnet(50),
    resnet101=_resnet(101),
    resnet152=_resnet(152),
    resnext50_32x4d=_resnext(50, 32, 4),
    resnext101_32x4d=_resnext(101, 32, 4),
    resnext101_32x8d=_resnext(101, 32, 8),
    resnext101_64x4d=_resnext(101, 64, 4),
)
