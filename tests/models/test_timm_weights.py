"""Weights of timm's networks load into another image size as timm itself loads them."""

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.models import ModuleClassifier
from gendd_mm.models.algorithms.build_teacher import load_strictly
from gendd_mm.models.timm_weights import adapted_by_timm

timm = pytest.importorskip('timm')
VIT = dict(model_name='vit_tiny_patch16_224', depth=1, num_classes=0)


def saved(tmp_path, **settings) -> str:
    torch.manual_seed(0)
    network = timm.create_model(**{**VIT, **settings})
    torch.save(network.state_dict(), tmp_path / 'vit.pth')
    return str(tmp_path / 'vit.pth')


def timm_classifier(**settings):
    return MODELS.build(dict(type='mmpretrain.TimmClassifier', **VIT, **settings))


@pytest.mark.parametrize('wrapper', ['TimmClassifier', 'ModuleClassifier'])
def test_positions_are_resampled_as_by_timm(tmp_path, wrapper):
    path = saved(tmp_path, img_size=64)
    if wrapper == 'TimmClassifier':
        model = timm_classifier(img_size=32)
        network = model.model
    else:
        model = ModuleClassifier(dict(type='timm.create_model', **VIT, img_size=32))
        network = model.network
    load_strictly(model, path)
    cfg = dict(file=path, num_classes=0, custom_load=False)
    theirs = timm.create_model(**VIT, img_size=32, pretrained=True, pretrained_cfg_overlay=cfg)
    assert network.pos_embed.shape[1] == 1 + 4
    for key, value in theirs.state_dict().items():
        assert value.equal(network.state_dict()[key]), key


def test_keys_of_the_authors_become_timms(tmp_path):
    settings = dict(model_name='vit_small_patch14_dinov2', img_size=28)
    path = saved(tmp_path, **settings)
    weights = torch.load(path)
    torch.save({**weights, 'mask_token': torch.zeros(1, 384)}, path)  # as DINOv2 is published
    model = ModuleClassifier(dict(type='timm.create_model', **{**VIT, **settings}))
    load_strictly(model, path)
    assert model.network.pos_embed.equal(weights['pos_embed'])


def test_kernels_are_not_resampled(tmp_path):
    path = saved(tmp_path, img_size=32, patch_size=8)
    with pytest.raises(ValueError, match=r'shapes .*patch_embed\.proj\.weight'):
        load_strictly(timm_classifier(img_size=32), path)


def test_other_networks_are_left_alone(tmp_path):
    weights = torch.load(saved(tmp_path, img_size=64))
    assert adapted_by_timm(weights, torch.nn.Linear(2, 2)) is None
    misfit = timm_classifier(img_size=32)
    assert adapted_by_timm({'head': torch.zeros(2)}, misfit).keys() == {'head'}
    torch.save({'head': torch.zeros(2)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='missing keys'):
        load_strictly(misfit, str(tmp_path / 'other.pth'))
