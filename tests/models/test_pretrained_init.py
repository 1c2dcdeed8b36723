"""init_cfg=dict(type='Pretrained'): weights load, under the names that they need, or an error."""

import pytest
import small_models
import torch
from mmengine.registry import MODELS

from gendd_mm.models.pretrained_init import FittingPretrainedInit

NETWORK = dict(type='timm.create_model', model_name='resnet10t')
BACKBONES = [
    dict(type='mmpretrain.TIMMBackbone', model_name='resnet10t'),
    dict(type='gendd_mm.ModuleBackbone', network=NETWORK),
]


def started(backbone: dict, path, **settings):
    """A backbone that starts from a file."""
    init_cfg = dict(type='Pretrained', checkpoint=str(path), **settings)
    model = MODELS.build(dict(backbone, init_cfg=init_cfg))
    model.init_weights()
    return model


def weights_of(network) -> dict:
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('backbone', BACKBONES)
def test_timms_own_weights_load_into_its_backbone(backbone, suffix, tmp_path):
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    own = weights_of(timm.create_model('resnet10t'))  # with its classifier
    path = tmp_path / f'own.{suffix}'
    if suffix == 'pth':
        torch.save(own, path)
    else:
        pytest.importorskip('safetensors.torch').save_file(own, path)
    model = started(backbone, path)
    name = next(iter(dict(model.named_children())))
    state = model.state_dict()
    assert len(state) == len(own) - 2  # all but the classifier
    assert all(value.equal(own[key.removeprefix(f'{name}.')]) for key, value in state.items())


def test_weights_that_fit_nothing_are_an_error(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'stem.weight': torch.ones(3)}), path)
    backbone = dict(type='SmallBackbone', channels=4)
    with pytest.raises(ValueError, match="none of the .*other.pth' fits SmallBackbone"):
        started(backbone, path)
    with pytest.raises(ValueError, match="below 'backbone.' fits SmallBackbone"):
        started(backbone, path, prefix='backbone')
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        started(backbone, 'gone.pth')


@pytest.mark.parametrize('prefix', [None, 'backbone', 'backbone.'])
def test_what_fits_is_loaded_as_before(prefix, tmp_path):
    backbone = dict(type='SmallBackbone', channels=4)
    own = weights_of(MODELS.build(backbone))
    own['conv.weight'] += 1
    saved = {f'backbone.{key}' if prefix else f'module.{key}': v for key, v in own.items()}
    saved['head.weight'] = torch.ones(2)
    torch.save(dict(state_dict=saved), tmp_path / 'own.pth')
    settings = dict(prefix=prefix) if prefix else {}
    state = started(backbone, tmp_path / 'own.pth', **settings).state_dict()
    assert all(value.equal(own[key]) for key, value in state.items())


def test_a_student_starts_from_timms_own_weights(tmp_path):
    timm = pytest.importorskip('timm')
    own = weights_of(timm.create_model('resnet10t'))
    torch.save(own, tmp_path / 'own.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'own.pth'))
    architecture = small_models.student()
    architecture.update(backbone=dict(BACKBONES[0], init_cfg=init_cfg))
    architecture['head']['in_channels'] = 512
    model = MODELS.build(architecture)
    model.init_weights()
    weight = model.backbone.timm_model.conv1[0].weight
    assert weight.equal(own['conv1.0.weight'])


def test_a_damaged_safetensors_file_is_named(tmp_path):
    pytest.importorskip('safetensors')
    path = tmp_path / 'own.safetensors'
    path.write_bytes(b'no weights')
    with pytest.raises(ValueError, match='own.safetensors.*is damaged'):
        started(dict(type='SmallBackbone', channels=4), path)


def test_keys_that_the_module_renames_are_loaded(tmp_path):
    class Renaming(torch.nn.Linear):
        def _load_from_state_dict(self, state_dict, prefix, *args):
            for name in ('weight', 'bias'):
                state_dict[prefix + name] = state_dict.pop(f'{prefix}old_{name}')
            super()._load_from_state_dict(state_dict, prefix, *args)

    module, path = Renaming(3, 2), str(tmp_path / 'old.pth')
    weights = dict(old_weight=torch.ones(2, 3), old_bias=torch.ones(2))
    torch.save(weights, path)
    FittingPretrainedInit(path)(module)
    assert module.weight.equal(weights['old_weight'])
