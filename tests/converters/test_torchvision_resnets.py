"""ResNet and ResNeXt give the scores of torchvision and of timm."""

import pytest
import torch
import torchvision
from mmpretrain.registry import MODELS
from random_weights import randomize

from gendd_mm.converters import TORCHVISION, convert_weights


def assert_same_scores(source, name, num_classes=10):
    randomize(source.state_dict())
    architecture = TORCHVISION[name]
    ours = MODELS.build(architecture.classifier(num_classes)).eval()
    ours.load_state_dict(convert_weights(source.state_dict(), architecture))
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        ours(images, mode='tensor'), source.eval()(images), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize('name', ['resnet18', 'resnet34', 'resnet50', 'resnext50_32x4d'])
def test_scores_are_those_of_torchvision(name):
    source = torchvision.models.get_model(name, num_classes=10)
    assert_same_scores(source, name)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['resnet101', 'resnet152', 'resnext101_32x8d', 'resnext101_64x4d'])
def test_scores_are_those_of_torchvision_for_large_ones(name):
    source = torchvision.models.get_model(name, num_classes=10)
    assert_same_scores(source, name)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['resnet34', 'resnext101_32x4d'])
def test_scores_are_those_of_timm(name):
    timm = pytest.importorskip('timm')
    assert_same_scores(timm.create_model(name, num_classes=10), name)


@pytest.mark.parametrize('other', ['resnet34', 'resnet50', 'resnext50_32x4d'])
def test_another_depth_or_width_is_an_error(other):
    source = torchvision.models.resnet18(num_classes=10)
    if other == 'resnext50_32x4d':
        source = torchvision.models.resnet50(num_classes=10)
    with pytest.raises(ValueError, match='does not fit .*layer'):
        convert_weights(source.state_dict(), TORCHVISION[other])
