"""MobileNetV1, the ImageNet student, is timm's through MMPretrain."""

import pytest
import torch
from mmpretrain.registry import MODELS
from random_weights import randomize

CONFIG = dict(
    type='ImageClassifier',
    # The published network has ReLU; timm's default is ReLU6.
    backbone=dict(type='TIMMBackbone', model_name='mobilenetv1_100', act_layer='relu'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, in_channels=1024),
)


def test_mobilenet_v1_is_that_of_timm():
    timm = pytest.importorskip('timm')
    ours = MODELS.build(CONFIG).eval()
    assert sum(p.numel() for p in ours.parameters()) == 4_231_976
    assert not any(isinstance(m, torch.nn.ReLU6) for m in ours.modules())
    images = torch.randn(2, 3, 64, 64)
    maps = ours.extract_feat(images, stage='backbone')
    assert [tuple(out.shape) for out in maps] == [(2, 1024, 2, 2)]

    source = timm.create_model('mobilenetv1_100', act_layer='relu').eval()
    randomize(source.state_dict())
    weights = {}
    for name, value in source.state_dict().items():
        if name.startswith('classifier.'):
            weights[name.replace('classifier.', 'head.fc.')] = value
        else:
            weights[f'backbone.timm_model.{name}'] = value
    ours.load_state_dict(weights, strict=True)
    torch.testing.assert_close(ours(images, mode='tensor'), source(images), rtol=1e-4, atol=1e-4)
