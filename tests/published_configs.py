"""Our experiments: the files of configs/, and the choices of those that take one.

A user may keep configs of their own beside ours. Ours are those that the
metafiles name, and the ablations on the digits.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import yaml
from mmengine.config import Config
from small_models import CONFIGS, ROOT

from gendd_mm.engine import stages
from gendd_mm.engine.options import RunOptions


def pairs(*names: str) -> list[dict]:
    return [dict(zip(('TEACHER', 'STUDENT'), name.split(' -> '), strict=True)) for name in names]


CIFAR_PAIRS = pairs(
    'resnet56 -> resnet20',
    'resnet110 -> resnet32',
    'resnet32x4 -> resnet8x4',
    'wrn-40-2 -> wrn-16-2',
    'wrn-40-2 -> wrn-40-1',
    'vgg13 -> vgg8',
)
MORE_CIFAR_PAIRS = pairs(  # of GenDD and the regression
    'wrn-40-2 -> resnet8x4',
    'vgg13 -> resnet20',
    'resnet32x4 -> vgg8',
    'resnet32x4 -> wrn-16-2',
)
LIGHT_CIFAR_PAIRS = pairs(  # in batches of 128
    'resnet32x4 -> shufflenet-v1',
    'resnet32x4 -> shufflenet-v2',
    'wrn-40-2 -> shufflenet-v1',
    'vgg13 -> mobilenet-v2',
    'resnet50 -> mobilenet-v2',
)
IMAGENET_PAIRS = pairs('resnet34 -> resnet18', 'resnet50 -> mobilenet-v1')
RECIPES = [dict(RECIPE='a1'), dict(RECIPE='a2')]


def values(variable: str, *found: str) -> list[dict]:
    return [{variable: value} for value in found]


# What chooses an experiment of a file; the first is its default.
CHOICES: dict[str, list[dict]] = {
    **{f'cifar100/{m}_1xb64_cifar100.py': CIFAR_PAIRS for m in ('kd', 'lskd', 'mgd', 'simkd')},
    'cifar100/regression_1xb64_cifar100.py': CIFAR_PAIRS + MORE_CIFAR_PAIRS,
    'cifar100/regression_1xb128_cifar100.py': LIGHT_CIFAR_PAIRS,
    **{
        f'imagenet/{m}_8xb64_in1k.py': IMAGENET_PAIRS
        for m in ('kd', 'lskd', 'mgd', 'simkd', 'regression')
    },
    'imagenet/kd_beitv2-large_resnet50_8xb64_in1k.py': RECIPES[::-1],
    'imagenet/dkd_beitv2-large_resnet50_8xb64_in1k.py': RECIPES[::-1],
    **{
        f'fashion_mnist/{m}.py': values('DATA', 'supervised', 'unlabeled', 'long_tailed')
        for m in (
            'gendd',
            'gendd_flow',
            'gendd_naive',
            'gendd_recommended',
            'gendd_x0',
            'regression',
        )
    },
    **{
        f'fashion_mnist/{m}.py': values('DATA', 'supervised', 'long_tailed')
        for m in ('student', 'kd', 'dkd', 'lskd', 'mgd', 'simkd', 'gendd_strength0')
    },
    'digits/gendd_recommended_digits.py': values('DATA', 'supervised', 'unlabeled', 'long_tailed'),
    **{
        f'digits/{m}_digits.py': values('DATA', 'supervised', 'long_tailed')
        for m in ('student', 'kd', 'simkd')
    },
    'digits/kl_digits.py': values('DATA', 'supervised', 'unlabeled'),
    'fashion_mnist/kl.py': values('DATA', 'supervised', 'unlabeled'),
    'fashion_mnist/gendd_teacher_labels.py': values('DATA', 'supervised', 'unlabeled'),
    'fashion_mnist/large.py': values(
        'METHOD', 'gendd', 'gendd_flow', 'gendd_x0', 'regression', 'student', 'kd', 'dkd'
    ),
    'foundation/efficientnet-lite0_fashion-mnist.py': values(
        'METHOD', 'gendd', 'gendd_flow', 'mse', 'cosine'
    ),
    'digits/ablations/draws.py': values('DRAWS', '1', '5'),
    'digits/ablations/guidance.py': values('GUIDANCE', '1.0', '1.5', '3.0'),
    'digits/ablations/repeats.py': values('REPEATS', '1', '2', '32'),
    'digits/ablations/strength.py': values('STRENGTH', '0', '0.5', '0.7', '1'),
    'digits/ablations/token_size.py': values('TOKEN_DIM', '128', '64', '16'),
}
VARIABLES = {name for choices in CHOICES.values() for choice in choices for name in choice}
ABLATIONS = [
    *(name for name in CHOICES if 'ablations' in name),
    *(
        f'digits/ablations/{name}.py'
        for name in (
            'centers_feature_mean',
            'centers_feature_norm',
            'feature_mixup',
            'modulation_shared',
            'noise_antithetic',
            'rectified_flow',
            'sampler_ddim',
            'sampler_paper',
            'steps_1',
            'steps_20',
            'target_scale_auto',
            'x0_late',
        )
    ),
]


@contextmanager
def chosen(**choice: str) -> Iterator[None]:
    """An environment with this choice, whatever the shell of the tests has."""
    with mock.patch.dict(os.environ):
        for name in VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(choice)
        yield


def read(name: str, **choice: str) -> Config:
    """The config of a file in ``configs/``, with its choice."""
    with chosen(**choice):
        return Config.fromfile(CONFIGS / name)


def read_stage1(cfg: Config) -> Config:
    """The first stage of a config, as ``tools/train.py`` would train it."""
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    cfg.work_dir = 'work_dirs'
    return stages.read_stage1(cfg, RunOptions(persistent_workers=False))


@dataclass(frozen=True)
class Experiment:
    """One run that a file of ``configs/`` describes."""

    name: str
    choice: tuple[tuple[str, str], ...] = ()
    stage1: bool = False

    def __str__(self) -> str:
        return ' '.join([self.name, *dict(self.choice).values(), *['stage1'] * self.stage1])

    def read(self) -> Config:
        with chosen(**dict(self.choice)):
            cfg = Config.fromfile(CONFIGS / self.name)
            return read_stage1(cfg) if self.stage1 else cfg


def of_file(name: str) -> list[Experiment]:
    return [Experiment(name, tuple(choice.items())) for choice in CHOICES.get(name, [{}])]


def named_by_metafiles() -> list[str]:
    """The config files of the model zoo, as paths in ``configs/``."""
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    models = [
        model
        for path in index['Import']
        for model in yaml.safe_load((ROOT / path).read_text())['Models']
    ]
    return sorted({str(Path(model['Config']).relative_to('configs')) for model in models})


PUBLISHED = named_by_metafiles()
EXPERIMENTS = [experiment for name in PUBLISHED for experiment in of_file(name)]
