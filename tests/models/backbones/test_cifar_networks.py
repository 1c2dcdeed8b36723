"""The networks of the CIFAR-100 pairs: maps, gradients, initialisation."""

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.converters import CRD

# Of each: arguments, and channels and height of the maps of images of 32.
NETWORKS = {
    'CIFARResNet': (dict(depth=8), [(16, 32), (32, 16), (64, 8)]),
    'CIFARVGG': (dict(depth=8), [(64, 32), (128, 16), (256, 8), (512, 4), (512, 4)]),
    'CIFARMobileNetV2': (
        {},
        [(8, 16), (12, 16), (16, 8), (32, 4), (48, 4), (80, 2), (160, 2), (1280, 2)],
    ),
    'CIFARShuffleNetV1': ({}, [(240, 16), (480, 8), (960, 4)]),
    'CIFARShuffleNetV2': ({}, [(116, 16), (232, 8), (464, 4), (1024, 4)]),
}


def config_of(name: str, **options) -> dict:
    return dict(type=f'gendd_mm.{name}', **NETWORKS[name][0], **options)


@pytest.mark.parametrize('name', NETWORKS)
def test_maps_of_all_stages(name, build):
    expected = NETWORKS[name][1]
    images = torch.randn(2, 3, 32, 32)
    backbone = build(MODELS, **config_of(name, out_indices=range(len(expected))))
    backbone.eval()
    maps = backbone(images)
    assert [tuple(out.shape) for out in maps] == [
        (2, channels, size, size) for channels, size in expected
    ]
    only_last = build(MODELS, **config_of(name))
    only_last.load_state_dict(backbone.state_dict())
    only_last.eval()
    torch.testing.assert_close(only_last(images), maps[-1:])


@pytest.mark.parametrize(('name', 'size'), [('wrn_16_2', 8), ('ResNet50', 4)])
def test_networks_of_upstream_end_before_pooling(name, size):
    backbone = MODELS.build(CRD[name].backbone)
    backbone.eval()
    maps = backbone(torch.randn(1, 3, 32, 32))
    assert [tuple(out.shape) for out in maps] == [(1, CRD[name].feature_dim, size, size)]


@pytest.mark.parametrize('name', NETWORKS)
def test_every_weight_learns_and_every_norm_keeps_statistics(name):
    backbone = MODELS.build(config_of(name))
    backbone.init_weights()
    backbone(torch.randn(4, 3, 32, 32))[-1].square().mean().backward()
    for parameter in backbone.parameters():
        assert parameter.grad is not None
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.num_batches_tracked == 1


@pytest.mark.parametrize('name', NETWORKS)
def test_convolutions_start_kaiming_normal_by_fan_out(name):
    backbone = MODELS.build(config_of(name))
    backbone.init_weights()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.weight.eq(1).all()
        # Enough weights to tell.
        if isinstance(module, torch.nn.Conv2d) and module.weight.numel() > 5000:
            fan_out = module.out_channels * module.weight[0, 0].numel()
            std = (2 / fan_out) ** 0.5
            assert module.weight.std().item() == pytest.approx(std, rel=0.05)


def test_pretrained_weights_are_loaded(tmp_path):
    config = config_of('CIFARVGG')
    trained = MODELS.build(config)
    path = str(tmp_path / 'vgg.pth')
    torch.save(trained.state_dict(), path)
    backbone = MODELS.build(dict(config, init_cfg=dict(type='Pretrained', checkpoint=path)))
    backbone.init_weights()
    for name, value in trained.state_dict().items():
        assert backbone.state_dict()[name].equal(value)


@pytest.mark.parametrize('kind', ['CIFARResNet', 'CIFARVGG'])
@pytest.mark.parametrize('depth', [9, 18])
def test_an_unknown_depth_is_an_error(kind, depth):
    with pytest.raises(ValueError, match=rf'depth={depth} of {kind}.*\[8, 1'):
        MODELS.build(dict(type=f'gendd_mm.{kind}', depth=depth))


@pytest.mark.parametrize('out_indices', [(), (3,), (-1,), (0, 7)])
def test_an_unknown_stage_is_an_error(out_indices):
    with pytest.raises(ValueError, match='CIFARShuffleNetV1.* 0 to 2'):
        MODELS.build(dict(type='gendd_mm.CIFARShuffleNetV1', out_indices=out_indices))
