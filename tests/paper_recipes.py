"""The paper's experiments as a table, for the tests of their configs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A row of the table of experiments; what most of ImageNet's share."""

    config: str
    # As the converters name them, or the class of the backbone.
    teacher: str
    student: str
    sizes: tuple[int, int]  # features of teacher and student
    strength: float = 0.9
    feature_mixup: float = 1.0
    epochs: int = 100
    warmup: int = 20
    lr: float = 2e-3
    min_lr: float | None = 1e-6  # None: steps at epochs 150, 180, 210
    decay: float = 2e-2
    beta2: float = 0.96
    gpus: int = 8
    batch: int = 512
    repeats: int = 10
    sampling_steps: int = 64
    crop: tuple[float, float] | None = (0.6, 1.0)  # None: CIFAR's
    mixing: tuple = ()
    smoothing: float = 0.0
    head_decay: float = 0.0
    stage1: tuple[int, float] | None = (20, 2e-3)  # epochs, rate
    stage1_best: bool = False  # stage 2 starts from its best epoch
    labels: bool = True


A2 = dict(feature_mixup=0, epochs=300, mixing=(('Mixup', 0.1), ('CutMix', 1.0)))
A1 = dict(
    feature_mixup=0,
    epochs=600,
    decay=1e-2,
    mixing=(('Mixup', 0.2), ('CutMix', 1.0)),
    smoothing=0.1,
)
CC3M = dict(strength=0, stage1=None, labels=False)
LT = dict(strength=0, decay=2e-1, batch=256, stage1=None)
CIFAR = dict(
    epochs=240,
    warmup=50,
    lr=1e-3,
    min_lr=None,
    decay=5e-2,
    beta2=0.95,
    gpus=1,
    batch=64,
    repeats=30,
    sampling_steps=100,
    crop=None,
    stage1=(50, 3e-3),
)
# ShuffleNet and MobileNet.
LIGHT = dict(CIFAR, lr=1e-2, batch=128, decay=1e-2)
SHORT = dict(LIGHT, warmup=20, stage1=(20, 1e-5))
COSINE = dict(LIGHT, min_lr=1e-6)
HEAD_DECAYED = dict(COSINE, decay=2e-2, head_decay=2e-2, repeats=10)

_IMAGENET = [
    (
        'imagenet/gendd_resnet34_resnet18_8xb64_in1k',
        'resnet34',
        'resnet18',
        (512, 512),
        dict(warmup=10),
    ),
    (
        'imagenet/gendd_resnet50_mobilenet-v1_8xb64_in1k',
        'resnet50',
        'TIMMBackbone',
        (2048, 1024),
        {},
    ),
    (
        'imagenet/gendd_beitv2-large_resnet50_8xb64-a2-300e_in1k',
        'large',
        'resnet50',
        (1024, 2048),
        A2,
    ),
    ('imagenet/gendd_beitv2-base_resnet50_8xb64-a2-300e_in1k', 'base', 'resnet50', (768, 2048), A2),
    ('gendd_r50_in1k', 'large', 'resnet50', (1024, 2048), A1),
    ('imagenet/gendd_beitv2-base_resnet50_8xb64-a1-600e_in1k', 'base', 'resnet50', (768, 2048), A1),
    ('cc3m/gendd_resnet34_resnet18_8xb64-100e_cc3m', 'resnet34', 'resnet18', (512, 512), CC3M),
    (
        'cc3m/gendd_resnet50_mobilenet-v1_8xb64-100e_cc3m',
        'resnet50',
        'TIMMBackbone',
        (2048, 1024),
        CC3M,
    ),
    (
        'imagenet_lt/gendd_resnext101-32x4d_resnet50_8xb32_imagenet-lt',
        'resnext101_32x4d',
        'resnet50',
        (2048, 2048),
        LT,
    ),
    (
        'imagenet_lt/gendd_resnext101-32x4d_resnet18_8xb32_imagenet-lt',
        'resnext101_32x4d',
        'resnet18',
        (2048, 512),
        LT,
    ),
]
# Between gendd_ and _1xb: teacher, student, strength.
_CIFAR = [
    ('resnet56_resnet20', 'resnet56', 'resnet20', (64, 64), 0.9, CIFAR),
    ('resnet110_resnet32', 'resnet110', 'resnet32', (64, 64), 0.9, CIFAR),
    ('resnet32x4_resnet8x4', 'resnet32x4', 'resnet8x4', (256, 256), 0.7, CIFAR),
    ('wrn-40-2_wrn-16-2', 'wrn_40_2', 'wrn_16_2', (128, 128), 0.8, CIFAR),
    ('wrn-40-2_wrn-40-1', 'wrn_40_2', 'wrn_40_1', (128, 64), 0.8, CIFAR),
    ('vgg13_vgg8', 'vgg13', 'vgg8', (512, 512), 0.7, CIFAR),
    ('wrn-40-2_resnet8x4', 'wrn_40_2', 'resnet8x4', (128, 256), 0.7, CIFAR),
    ('vgg13_resnet20', 'vgg13', 'resnet20', (512, 64), 0.9, dict(CIFAR, stage1_best=True)),
    ('resnet32x4_shufflenet-v1', 'resnet32x4', 'CIFARShuffleNetV1', (256, 960), 0.7, SHORT),
    ('resnet32x4_shufflenet-v2', 'resnet32x4', 'CIFARShuffleNetV2', (256, 1024), 0.7, SHORT),
    ('resnet32x4_vgg8', 'resnet32x4', 'vgg8', (256, 512), 0.9, CIFAR),
    ('resnet32x4_wrn-16-2', 'resnet32x4', 'wrn_16_2', (256, 128), 0.9, CIFAR),
    ('vgg13_mobilenet-v2', 'vgg13', 'CIFARMobileNetV2', (512, 1280), 0.8, COSINE),
    ('wrn-40-2_shufflenet-v1', 'wrn_40_2', 'CIFARShuffleNetV1', (128, 960), 0.7, LIGHT),
    ('resnet50_mobilenet-v2', 'ResNet50', 'CIFARMobileNetV2', (2048, 1280), 0.8, HEAD_DECAYED),
]
RECIPES: dict[str, Recipe] = {
    name: Recipe(f'{name}.py', *pair, **settings) for name, *pair, settings in _IMAGENET
}
RECIPES.update(
    {
        pair: Recipe(
            f'cifar100/gendd_{pair}_1xb{settings["batch"]}_cifar100.py', *networks, **settings
        )
        for pair, *networks, settings in _CIFAR
    }
)

# timm's rand-m7-n2-mstd0.5: MMPretrain's type, direction, range of the magnitude at
# levels 0 and 10, and how often it is negated. timm rounds bits and thresholds
# down, MMPretrain up: one less.
RAND_AUGMENT = [
    ('AutoContrast', None, None, 0.5),
    ('Equalize', None, None, 0.5),
    ('Invert', None, None, 0.5),
    ('Rotate', None, (0, 30), 0.5),
    ('Posterize', None, (0 - 1, 4 - 1), 0),
    ('Solarize', None, (0 - 1, 256 - 1), 0),
    ('SolarizeAdd', None, (0, 110), 0),
    *((name, None, (0.1 - 1, 1.9 - 1), 0) for name in ('ColorTransform', 'Contrast')),
    *((name, None, (0.1 - 1, 1.9 - 1), 0) for name in ('Brightness', 'Sharpness')),
    ('Shear', 'horizontal', (0, 0.3), 0.5),
    ('Shear', 'vertical', (0, 0.3), 0.5),
    ('Translate', 'horizontal', (0, 0.45), 0.5),
    ('Translate', 'vertical', (0, 0.45), 0.5),
]
