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


def settings():
    for statistics, to_rgb in itertools.product((IMAGENET, OTHER, {}), (True, False)):
        yield dict(statistics, to_rgb=to_rgb)


@pytest.mark.parametrize('source', settings())
@pytest.mark.parametrize('target', [s for s in settings() if 'mean' in s])
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
def test_images_need_not_have_three_channels(channels):
    source = ClsDataPreprocessor(mean=[1.0] * channels, std=[2.0] * channels)
    target = ClsDataPreprocessor(mean=[3.0] * channels, std=[4.0] * channels)
    raw = torch.randint(0, 256, (2, channels, 5, 5))
    seen = Renormalize(source, target)(source(dict(inputs=raw))['inputs'])
    torch.testing.assert_close(seen, target(dict(inputs=raw))['inputs'])


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
