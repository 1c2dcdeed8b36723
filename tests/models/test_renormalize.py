"""Renormalize: the teacher sees what its own preprocessor would have given."""

import itertools

import numpy as np
import pytest
import small_models
import torch
from mmengine.model import ImgDataPreprocessor
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from gendd_mm.models.algorithms.renormalize import Renormalize

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
OTHER = dict(mean=[10.0, 20.0, 30.0], std=[2.0, 3.0, 4.0])


def images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 5, 5))


SETTINGS = [
    dict(statistics, to_rgb=to_rgb)
    for statistics, to_rgb in itertools.product((IMAGENET, OTHER, {}), (True, False))
]


@pytest.mark.parametrize('source', SETTINGS)
@pytest.mark.parametrize('target', [s for s in SETTINGS if 'mean' in s])
def test_it_is_as_if_the_target_had_prepared_the_image(source, target):
    source, target = (ClsDataPreprocessor(**s) for s in (source, target))
    raw = images()
    seen = Renormalize(source, target)(source(dict(inputs=raw))['inputs'])
    torch.testing.assert_close(seen, target(dict(inputs=raw))['inputs'], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize('target_rgb', [True, False])
def test_mmengines_preprocessor_is_understood(target_rgb):
    source = ClsDataPreprocessor(to_rgb=True, **IMAGENET)
    target = ImgDataPreprocessor(bgr_to_rgb=target_rgb, **OTHER)
    raw = images()
    seen = Renormalize(source, target)(source(dict(inputs=raw))['inputs'])
    own = target(dict(inputs=list(raw)))['inputs']
    torch.testing.assert_close(seen, own, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    'target',
    [
        None,
        ClsDataPreprocessor(to_rgb=True, **IMAGENET),
        # mmpretrain gives every classifier one, which states nothing.
        ClsDataPreprocessor(),
    ],
)
def test_it_is_the_identity(target):
    source = ClsDataPreprocessor(to_rgb=True, **IMAGENET)
    renormalize = Renormalize(source, target)
    inputs = torch.randn(2, 3, 5, 5)
    assert renormalize.identity
    assert renormalize(inputs) is inputs


@pytest.mark.parametrize('channels', [1, 4])
@pytest.mark.parametrize('to_rgb', [True, False])
def test_images_need_not_have_three_channels(channels, to_rgb):
    # Only three channels are ever swapped.
    source = ClsDataPreprocessor(mean=[1.0] * channels, std=[2.0] * channels)
    target = ClsDataPreprocessor(mean=[3.0] * channels, std=[4.0] * channels, to_rgb=to_rgb)
    raw = torch.randint(0, 256, (2, channels, 5, 5))
    seen = Renormalize(source, target)(source(dict(inputs=raw))['inputs'])
    torch.testing.assert_close(seen, target(dict(inputs=raw))['inputs'])


class Squared(ClsDataPreprocessor):
    """Does to images what no mean and std can undo."""

    def forward(self, data, training=False):
        data = super().forward(data, training)
        return dict(data, inputs=data['inputs'].square())


class Renamed(ClsDataPreprocessor):
    """Normalises by statistics under other names, as a new upstream might."""

    def __init__(self, mean, std) -> None:
        super().__init__()
        self.pixel_mean, self.pixel_std = (torch.tensor(x).view(-1, 1, 1) for x in (mean, std))

    def forward(self, data, training=False):
        return dict(inputs=(data['inputs'] - self.pixel_mean) / self.pixel_std)


class Sliced(ClsDataPreprocessor):
    """Takes no batch of images."""

    def forward(self, data, training=False):
        return dict(inputs=data['images'])


@pytest.mark.parametrize('kind', [Squared, Renamed, Sliced])
def test_a_preprocessor_that_is_not_understood_is_refused(kind):
    known, unknown = ClsDataPreprocessor(**OTHER), kind(**IMAGENET)
    for source, target in ((known, unknown), (unknown, known)):
        with pytest.raises(ValueError, match=f'{kind.__name__} does not .*ClsDataPreprocessor'):
            Renormalize(source, target)
    # Without a second normalisation there is nothing to understand.
    assert Renormalize(unknown, None).identity


@pytest.mark.parametrize('divisor', [1, 32])
def test_padding_does_not_hide_the_normalisation(divisor):
    source = ClsDataPreprocessor(to_rgb=True, pad_size_divisor=divisor, pad_value=7, **IMAGENET)
    target = ClsDataPreprocessor(to_rgb=False, **OTHER)
    raw = images()
    seen = Renormalize(source, target)(source(dict(inputs=raw))['inputs'])[..., :5, :5]
    torch.testing.assert_close(seen, target(dict(inputs=raw))['inputs'], atol=2e-5, rtol=1e-5)


def test_it_is_in_no_checkpoint():
    source, target = (ClsDataPreprocessor(**s) for s in (IMAGENET, OTHER))
    assert not Renormalize(source, target).state_dict()


def seed_mixture() -> None:
    """Mixup draws its weight from numpy, its pairs from torch."""
    np.random.seed(1)
    torch.manual_seed(1)


@pytest.mark.parametrize('augment', [None, 'Mixup', 'CutMix'])
def test_the_teacher_of_the_algorithm_sees_its_own(augment, monkeypatch):
    """Mixed images are mixed in the teacher's normalisation too."""
    augments = augment and dict(augments=dict(type=f'mmpretrain.{augment}', alpha=1.0))
    teacher = small_models.built_teacher(
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', to_rgb=False, **OTHER)
    )
    model = small_models.built(
        teacher=teacher,
        architecture=small_models.student(
            data_preprocessor=dict(
                type='mmpretrain.ClsDataPreprocessor',
                to_rgb=True,
                num_classes=small_models.NUM_CLASSES,
                **IMAGENET,
            ),
            train_cfg=augments,
        ),
    )
    seen = []
    monkeypatch.setattr(
        teacher.backbone,
        'forward',
        (lambda forward: lambda x: (seen.append(x), forward(x))[1])(teacher.backbone.forward),
    )
    data = small_models.batch()
    seed_mixture()
    small_models.losses_of(model, data)

    # The same random mixture, by a preprocessor of the teacher's settings.
    own = ClsDataPreprocessor(
        to_rgb=False, num_classes=small_models.NUM_CLASSES, batch_augments=augments, **OTHER
    )
    samples = [DataSample().set_gt_label(s.gt_label) for s in data['data_samples']]
    seed_mixture()
    expected = own(dict(inputs=data['inputs'], data_samples=samples), training=True)
    torch.testing.assert_close(seen[0], expected['inputs'], atol=2e-5, rtol=1e-5)
