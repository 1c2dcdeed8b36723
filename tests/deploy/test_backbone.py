"""The exported backbone: the student's features, in mmpretrain and in its own library."""

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.apis import get_model

from gendd_mm.deploy import export_backbone
from gendd_mm.models.build_network import build_network

TIMM = dict(type='timm.create_model', model_name='resnet10t')
BACKBONES = {
    'mmpretrain': dict(
        type='mmpretrain.ResNet', depth=18, init_cfg=dict(type='Kaiming', layer='Conv2d')
    ),
    'timm': dict(
        type='mmpretrain.TIMMBackbone', model_name='resnet10t', checkpoint_path='gone.pth'
    ),
    'timm by import': dict(type='gendd_mm.ModuleBackbone', network=TIMM),
    'torchvision': dict(
        type='gendd_mm.ModuleBackbone',
        network=dict(type='torchvision.models.resnet18', weights='DEFAULT'),
    ),
}


def run_of(name: str, tmp_path) -> tuple[Config, str, torch.nn.Module]:
    """Config and checkpoint of a run whose probe was never trained, and its student."""
    pytest.importorskip('timm')
    backbone = BACKBONES[name]
    architecture = small_models.student()
    architecture.update(
        backbone=dict(backbone), head=dict(architecture['head'], in_channels=512, trainable=False)
    )
    if backbone['type'].startswith('gendd_mm'):
        del architecture['neck']
    cfg = Config(dict(model=dict(architecture=architecture)))
    started = cfg.model.architecture.to_dict()
    started['backbone'].pop('checkpoint_path', None)
    if name == 'torchvision':
        started['backbone']['network']['weights'] = None
    torch.manual_seed(0)
    student = MODELS.build(started)
    for module in student.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()  # as of a trained one
    path = str(tmp_path / 'epoch_1.pth')
    state = {f'architecture.{key}': value for key, value in student.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return cfg, path, student.eval()


@pytest.mark.parametrize('name', BACKBONES)
def test_the_features_are_the_students(name, tmp_path):
    cfg, path, student = run_of(name, tmp_path)
    exported = export_backbone(cfg, path, str(tmp_path / 'out'))
    images = torch.randn(2, 3, 64, 64)
    expected = student.extract_feat(images)[-1]
    whole = get_model(exported.config, pretrained=exported.weights).eval()
    assert whole.head is None
    assert whole.extract_feat(images)[-1].equal(expected)

    # As in a config of mmdet or mmseg.
    pretrained = dict(type='Pretrained', checkpoint=exported.weights, prefix='backbone.')
    settings = Config.fromfile(exported.config).model.backbone.to_dict()
    settings['type'] = BACKBONES[name]['type']
    backbone = MODELS.build(dict(settings, init_cfg=pretrained))
    backbone.init_weights()
    backbone.eval()  # not chained: mmpretrain's ResNet returns None
    assert backbone(images)[-1].equal(student.backbone(images)[-1])


@pytest.mark.parametrize('name', ['timm', 'timm by import'])
def test_timm_loads_its_own_keys(name, tmp_path):
    timm = pytest.importorskip('timm')
    cfg, path, student = run_of(name, tmp_path)
    own = export_backbone(cfg, path, str(tmp_path / 'out')).own_weights
    network = timm.create_model('resnet10t', num_classes=0, checkpoint_path=own).eval()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        network(images), student.extract_feat(images)[-1], atol=1e-6, rtol=1e-5
    )


def test_torchvision_loads_its_own_keys(tmp_path):
    models = pytest.importorskip('torchvision.models')
    cfg, path, student = run_of('torchvision', tmp_path)
    own = export_backbone(cfg, path, str(tmp_path / 'out')).own_weights
    network = models.resnet18(weights=None).eval()
    network.fc = torch.nn.Identity()
    network.load_state_dict(torch.load(own, weights_only=True), strict=True)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        network(images), student.extract_feat(images)[-1], atol=1e-6, rtol=1e-5
    )


def test_a_student_of_other_keys_alone_has_no_second_file(tmp_path):
    cfg, path, _ = run_of('mmpretrain', tmp_path)
    assert export_backbone(cfg, path, str(tmp_path / 'out')).own_weights is None


def test_what_has_no_fitting_backbone_is_named(tmp_path):
    cfg, path, _ = run_of('mmpretrain', tmp_path)
    cfg.model.architecture.backbone.depth = 34
    with pytest.raises(ValueError, match='does not fit the student.*missing keys'):
        export_backbone(cfg, path, str(tmp_path / 'out'))
    cfg.model.architecture = dict(type='mmpretrain.TimmClassifier', model_name='resnet10t')
    with pytest.raises(ValueError, match="'TimmClassifier' has no backbone.*ModuleBackbone"):
        export_backbone(cfg, path, str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()


def test_other_features_in_the_own_keys_are_refused(tmp_path, monkeypatch):
    cfg, path, _ = run_of('timm', tmp_path)

    def other(config):
        return build_network(dict(config, act_layer='sigmoid'))  # of the same keys

    monkeypatch.setattr('gendd_mm.deploy.backbone.build_network', other)
    with pytest.raises(ValueError, match='keys of timm gives other features.*load backbone.py'):
        export_backbone(cfg, path, str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()
