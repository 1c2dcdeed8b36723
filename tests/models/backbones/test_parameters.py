"""The networks of the CIFAR-100 pairs are as large as published."""

import pytest
from mmengine.registry import MODELS

from gendd_mm.converters import CRD

STUDENTS = dict(
    MobileNetV2=(dict(type='gendd_mm.CIFARMobileNetV2'), 1280),
    ShuffleNetV1=(dict(type='gendd_mm.CIFARShuffleNetV1'), 960),
    ShuffleNetV2=(dict(type='gendd_mm.CIFARShuffleNetV2'), 1024),
)
NETWORKS = STUDENTS | {
    name: (architecture.backbone, architecture.feature_dim) for name, architecture in CRD.items()
}


def conv(before: int, after: int, size: int, groups: int = 1) -> int:
    """Parameters of a convolution without bias and its batch norm."""
    return before * after * size**2 // groups + 2 * after


def resnet(depth: int, stem: int, width: int) -> int:
    total, before = conv(3, stem, 3), stem
    for after in (width, 2 * width, 4 * width):
        for _i in range((depth - 2) // 6):
            changes = before != after
            total += conv(before, after, 3) + conv(after, after, 3)
            total += conv(before, after, 1) if changes else 0
            before = after
    return total


def wide_resnet(depth: int, width: int) -> int:
    total, before = 3 * 16 * 9, 16
    for after in (16 * width, 32 * width, 64 * width):
        for _i in range((depth - 4) // 6):
            # Norms come first; a shortcut has none.
            total += 2 * before + before * after * 9 + conv(after, after, 3)
            total += before * after if before != after else 0
            before = after
    return total + 2 * before


def vgg(*convs_of_stages: int) -> int:
    total, before = 0, 3
    for after, num in zip((64, 128, 256, 512, 512), convs_of_stages):
        for _ in range(num):
            total += conv(before, after, 3) + after  # with a bias
            before = after
    return total


def bottleneck_resnet() -> int:
    total, before = conv(3, 64, 3), 64
    for width, num in ((64, 3), (128, 4), (256, 6), (512, 3)):
        total += conv(before, 4 * width, 1)
        for _ in range(num):
            total += conv(before, width, 1) + conv(width, width, 3)
            total += conv(width, 4 * width, 1)
            before = 4 * width
    return total


def mobilenet_v2() -> int:
    total, before = conv(3, 16, 3), 16
    # 12 is no multiple of 8, and the first block expands by 1.
    for ratio, after, num in (
        (1, 8, 1),
        (6, 12, 2),
        (6, 16, 3),
        (6, 32, 4),
        (6, 48, 3),
        (6, 80, 3),
        (6, 160, 1),
    ):
        for _ in range(num):
            wide = ratio * before
            total += conv(before, wide, 1) + conv(wide, wide, 3, wide)
            total += conv(wide, after, 1)
            before = after
    return total + conv(160, 1280, 1)


def shufflenet_v1() -> int:
    total, before = conv(3, 24, 1), 24
    for after, num in ((240, 4), (480, 8), (960, 4)):
        for i in range(num):
            made = after if i else after - before
            width = made // 4
            total += conv(before, width, 1, 1 if before == 24 else 3)
            total += conv(width, width, 3, width) + conv(width, made, 1, 3)
            before = after
    return total


def shufflenet_v2() -> int:
    total, before = conv(3, 24, 1), 24
    for after, num in ((116, 4), (232, 8), (464, 4)):
        half = after // 2
        total += conv(before, before, 3, before) + conv(before, half, 1)
        total += conv(before, half, 1)
        total += (2 * num - 1) * conv(half, half, 1)
        total += num * conv(half, half, 3, half)
        before = after
    return total + conv(464, 1024, 1)


# Name, our count of the backbone, and what is published, in millions, with a
# classifier of 100 classes. ResNet50 has a stem of 3x3; with that of ImageNet,
# 7x7, it would be 23.713.
SIZES = [
    ('resnet20', resnet(20, 16, 16), 0.278),
    ('resnet32', resnet(32, 16, 16), 0.473),
    ('resnet56', resnet(56, 16, 16), 0.862),
    ('resnet110', resnet(110, 16, 16), 1.737),
    ('resnet8x4', resnet(8, 32, 64), 1.234),
    ('resnet32x4', resnet(32, 32, 64), 7.434),
    ('wrn_16_1', wide_resnet(16, 1), None),
    ('wrn_16_2', wide_resnet(16, 2), 0.703),
    ('wrn_40_1', wide_resnet(40, 1), 0.570),
    ('wrn_40_2', wide_resnet(40, 2), 2.255),
    ('vgg8', vgg(1, 1, 1, 1, 1), 3.965),
    ('vgg13', vgg(2, 2, 2, 2, 2), 9.462),
    ('ResNet50', bottleneck_resnet(), 23.705),
    ('MobileNetV2', mobilenet_v2(), 0.813),
    ('ShuffleNetV1', shufflenet_v1(), 0.949),
    ('ShuffleNetV2', shufflenet_v2(), 1.356),
]


def num_parameters(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(('name', 'counted', 'published'), SIZES)
def test_parameters_are_as_many_as_published(name, counted, published):
    config, feature_dim = NETWORKS[name]
    assert num_parameters(MODELS.build(config)) == counted
    if published is not None:
        classifier = 100 * feature_dim + 100
        assert round((counted + classifier) / 1e6, 3) == published
