"""Checkpoints of the CRD benchmark give its scores."""

import crd_networks
import pytest
import torch
from mmpretrain.registry import MODELS
from random_weights import randomize

from gendd_mm.converters import CRD, convert_weights

# All teachers of the benchmark, and small ones.
PUBLISHED = dict(
    resnet56=crd_networks.ResNet(9, 16, 16),
    resnet110=crd_networks.ResNet(18, 16, 16),
    resnet32x4=crd_networks.ResNet(5, 32, 64),
    resnet8x4=crd_networks.ResNet(1, 32, 64),
    wrn_40_2=crd_networks.WideResNet(6, 2),
    wrn_16_1=crd_networks.WideResNet(2, 1),
    vgg13=crd_networks.VGG(2, 2, 2, 2, 2),
    vgg8=crd_networks.VGG(1, 1, 1, 1, 1),
    ResNet50=crd_networks.Bottlenecks(),
)


@pytest.mark.parametrize('name', PUBLISHED)
def test_scores_are_those_of_the_benchmark(name):
    published = PUBLISHED[name]
    weights = published.layout()
    randomize(weights)
    ours = MODELS.build(CRD[name].classifier(100))
    ours.load_state_dict(convert_weights(weights, CRD[name]), strict=True)
    ours.eval()
    images = torch.randn(2, 3, 32, 32)
    expected = published.forward(weights, images)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(images, mode='tensor'), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('given', 'named'), [('vgg8', 'resnet56'), ('wrn_16_1', 'vgg13'), ('resnet8x4', 'wrn_40_2')]
)
def test_another_family_is_an_error(given, named):
    weights = PUBLISHED[given].layout()
    with pytest.raises(ValueError, match='keys do not belong to this family'):
        convert_weights(weights, CRD[named])


@pytest.mark.parametrize(
    ('given', 'named'),
    [('resnet56', 'resnet110'), ('resnet110', 'resnet56'), ('wrn_16_1', 'wrn_16_2')],
)
def test_another_size_is_an_error(given, named):
    weights = PUBLISHED[given].layout()
    with pytest.raises(ValueError, match='does not fit .*missing keys'):
        convert_weights(weights, CRD[named])
