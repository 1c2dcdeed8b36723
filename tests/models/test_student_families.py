"""Across families of students: the gradient reaches each, and its export is the same."""

import pytest
import small_models
import torch
from image_folders import split
from mmpretrain import get_model

from gendd_mm.analysis.pair_report import inspect_pair
from gendd_mm.deploy import export_student
from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import read_run
from gendd_mm.make_config import write_config

FAMILIES = [
    'resnet18_8xb32_in1k',
    'mobilenet-v2_8xb32_in1k',
    'mobilenet-v3-small-050_3rdparty_in1k',
    'shufflenet-v2-1x_16xb64_in1k',
    'efficientnet-b0_3rdparty_8xb32_in1k',
    'regnetx-400mf_8xb128_in1k',
    'vgg11bn_8xb32_in1k',
    'convnext-v2-atto_fcmae-pre_3rdparty_in1k',
    'deit-tiny_4xb256_in1k',
    'swin-tiny_16xb64_in1k',
    'mobilevit-xxsmall_3rdparty_in1k',
    'repvgg-a0_8xb32_in1k',
    'timm:mobilenetv3_small_050',
    'timm:vit_tiny_patch16_224',
    'timm:convnext_atto',
    'timm:ghostnet_050',
    'torchvision:shufflenet_v2_x0_5',
    'torchvision:densenet121',
    'torchvision:efficientnet_b0',
]


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> dict:
    """Images of three classes, and a network that knows them."""
    models = pytest.importorskip('torchvision.models')
    pytest.importorskip('timm')
    folder = tmp_path_factory.mktemp('families')
    split(folder, 2)
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=3).state_dict(), folder / 'resnet18.pth')
    return dict(
        teacher='torchvision:resnet18', teacher_ckpt=str(folder / 'resnet18.pth'), data=str(folder)
    )


@pytest.mark.slow
@pytest.mark.parametrize('student', FAMILIES)
def test_student(teacher, student, tmp_path):
    write_config(str(tmp_path / 'pair.py'), student=student, setting='paper', **teacher)
    cfg = read_run(str(tmp_path / 'pair.py'))
    small_models.head_of(cfg).update(
        denoiser=dict(type='TokenDenoiser', width=16, depth=1), repeats=2
    )
    assert dict(inspect_pair(cfg, batch_size=4))['gradient'].startswith('reaches all ')
    torch.manual_seed(0)
    model = build_model(cfg)
    model.init_weights()
    probe = model.student.head
    torch.nn.init.normal_(probe.fc.weight)
    images = torch.randn(4, 3, 224, 224)
    for norm in model.student.modules():
        if hasattr(norm, 'running_var'):
            norm.momentum = 1.0  # statistics as if it had been trained on these images
    model.student.train()
    with torch.no_grad():
        probe.loss(model.student.extract_feat(images), small_models.batch(4)['data_samples'])
        # Four images leave channels that hardly vary, which would multiply rounding.
        probe.standardizer.square.add_(probe.standardizer.square.mean())
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'last.pth')
    exported = export_student(cfg, str(tmp_path / 'last.pth'), str(tmp_path / 'student'))
    alone = get_model(exported.config, pretrained=exported.weights).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            alone(images), model.student.eval()(images, mode='tensor'), atol=1e-5, rtol=1e-4
        )
