"""An exported config describes its network without the files that training started from."""

import json

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.deploy.start_weights import without_origin


@pytest.mark.parametrize(
    ('settings', 'kept'),
    [
        (dict(type='TIMMBackbone', pretrained=True, cache_dir='/gone'), {}),
        (dict(type='timm.create_model', pretrained_cfg=dict(file='/gone/it.bin')), {}),
        (
            dict(
                type='timm.create_model',
                pretrained_cfg_overlay=dict(hf_hub_id='me/it', url='', fixed_input_size=True),
            ),
            dict(pretrained_cfg_overlay=dict(fixed_input_size=True)),
        ),
        (
            dict(type='torchvision.models.resnet18', weights='DEFAULT', weights_backbone='/gone'),
            dict(weights=None, weights_backbone=None),
        ),
    ],
)
def test_no_spelling_stays(settings, kept):
    expected = dict(type=settings['type'], **kept)
    assert without_origin(settings) == expected
    # Wherever it is: a chain of parts is a tuple as often as a list.
    nested = dict(stages=({'init_cfg': 1, 'net': settings}, [settings]))
    assert without_origin(nested) == dict(stages=({'net': expected}, [expected]))


@pytest.mark.parametrize('kind', ['mmpretrain.TIMMBackbone', 'timm.create_model'])
def test_a_folder_of_timm_is_described_by_its_settings(kind, tmp_path):
    timm = pytest.importorskip('timm')
    network = timm.create_model('resnet10t', num_classes=0)
    stated = dict(
        architecture='resnet10t',
        num_classes=7,
        model_args=dict(act_layer='gelu', in_chans=3),
        pretrained_cfg={},
    )
    (tmp_path / 'config.json').write_text(json.dumps(stated))
    torch.save(network.state_dict(), tmp_path / 'pytorch_model.bin')
    config = dict(type=kind, model_name=f'local-dir:{tmp_path}', pretrained=False)
    found = without_origin(config)
    assert found['model_name'] == 'resnet10t'
    assert str(tmp_path) not in str(found)
    torch.manual_seed(0)
    images = torch.randn(2, 3, 32, 32)
    first, second = MODELS.build(config), MODELS.build(found)
    for model in (first, second):
        model.eval()  # not chained: mmpretrain's backbones return None
    second.load_state_dict(first.state_dict())
    one, other = first(images), second(images)
    if kind == 'timm.create_model':
        assert one.shape == (2, 7)
    else:
        one, other = one[-1], other[-1]
    assert one.equal(other)
