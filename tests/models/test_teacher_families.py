"""Across families of networks: the classifier's input gives its scores, or a clear refusal."""

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from gendd_mm.models.algorithms.classifier_search import dry_run, find_classifier, scores_of

# The smallest of each type of classifier in mmpretrain 1.2.
MMPRETRAIN = [
    'beit-base-p16_beit-in21k-pre_3rdparty_in1k',
    'convmixer-768-32_3rdparty_in1k',
    'convnext-tiny_32xb128_in1k',
    'convnextv2-tiny_spark-pre_300e_in1k',
    'cspdarknet50_3rdparty_8xb32_in1k',
    'cspresnet50_3rdparty_8xb32_in1k',
    'davit-tiny_3rdparty_in1k',
    'deit-tiny_4xb256_in1k',
    'deit3-small-p16_3rdparty_in1k',
    'densenet121_3rdparty_in1k',
    'edgenext-xxsmall_3rdparty_in1k',
    'efficientnet-b0_3rdparty_8xb32_in1k',
    'efficientnetv2-b0_3rdparty_in1k',
    'hivit-tiny-p16_16xb64_in1k',
    'hornet-tiny_3rdparty_in1k',
    'hrnet-w18_3rdparty_8xb32_in1k',
    'inception-v3_3rdparty_8xb32_in1k',
    'mixmim-base_mixmim-pre_8xb128-coslr-100e_in1k',
    'mlp-mixer-base-p16_3rdparty_64xb64_in1k',
    'mobilenet-v2_8xb32_in1k',
    'mobilenet-v3-small-050_3rdparty_in1k',
    'mobileone-s0_8xb32_in1k',
    'mobilevit-xxsmall_3rdparty_in1k',
    'mvitv2-tiny_3rdparty_in1k',
    'poolformer-s12_3rdparty_32xb128_in1k',
    'pvig-tiny_3rdparty_in1k',
    'regnetx-400mf_8xb128_in1k',
    'repvgg-a0_8xb32_in1k',
    'res2net50-w14-s8_3rdparty_8xb32_in1k',
    'resnet18_8xb16_cifar10',
    'resnet18_8xb32_in1k',
    'resnetv1c50_8xb32_in1k',
    'resnetv1d50_8xb32_in1k',
    'resnext50-32x4d_8xb32_in1k',
    'revvit-small_3rdparty_in1k',
    'riformer-s12_in1k',
    'seresnet50_8xb32_in1k',
    'shufflenet-v1-1x_16xb64_in1k',
    'shufflenet-v2-1x_16xb64_in1k',
    'swin-tiny_16xb64_in1k',
    'swinv2-tiny-w8_3rdparty_in1k-256px',
    't2t-vit-t-14_8xb64_in1k',
    'tinyvit-5m_3rdparty_in1k',
    'tnt-small-p16_3rdparty_in1k',
    'twins-pcpvt-small_3rdparty_8xb128_in1k',
    'van-tiny_3rdparty_in1k',
    'vgg11_8xb32_in1k',
    'vig-tiny_3rdparty_in1k',
    'vit-base-p16_32xb128-mae_in1k',
    'wide-resnet50_3rdparty_8xb32_in1k',
    'xcit-nano-12-p16_3rdparty_in1k',
]
# Several classifiers, or scores that are averaged from several.
SEVERAL = [
    'conformer-tiny-p16_3rdparty_in1k',
    'deit-tiny-distilled_3rdparty_in1k',
    'efficientformer-l1_3rdparty_8xb128_in1k',
    'levit-128s_3rdparty_in1k',
]
TIMM = [
    'resnet18',
    'vit_tiny_patch16_224',
    'deit3_small_patch16_224',
    'convnext_atto',
    'mobilenetv3_small_050',
    'efficientnet_lite0',
    'regnetx_002',
    'densenet121',
    'swin_tiny_patch4_window7_224',
    'mixer_s32_224',
    'poolformer_s12',
    'xcit_nano_12_p16_224',
    'repvgg_a0',
    'ghostnet_050',
    'mobilevitv2_050',
    'eva02_tiny_patch14_224',
    'edgenext_xx_small',
    'tinynet_e',
    'hardcorenas_a',
    'cait_xxs24_224',
    'vit_small_patch14_dinov2',
    'rexnet_100',
]
TORCHVISION = [
    'alexnet',
    'vgg11',
    'resnet18',
    'mobilenet_v2',
    'mobilenet_v3_small',
    'shufflenet_v2_x0_5',
    'densenet121',
    'efficientnet_b0',
    'regnet_x_400mf',
    'convnext_tiny',
    'swin_t',
    'vit_b_32',
    'mnasnet0_5',
    'googlenet',
]


def assert_the_classifiers_input_gives_the_scores(model: nn.Module) -> None:
    model.eval()
    name = find_classifier(model)
    layer = model.get_submodule(name)

    def both(model, images):
        entered = []
        hook = layer.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
        with hook:
            scores = scores_of(model, images)
        return scores, entered[-1]

    scores, target = dry_run(model, both)
    assert target.dim() == 2
    assert target.size(1) == layer.in_features
    torch.testing.assert_close(layer(target), scores, atol=1e-5, rtol=1e-5)


def of_mmpretrain(name: str) -> BaseModel:
    from mmpretrain import get_model

    torch.manual_seed(0)
    return get_model(name)


@pytest.mark.slow
@pytest.mark.parametrize('name', MMPRETRAIN)
def test_mmpretrain(name):
    assert_the_classifiers_input_gives_the_scores(of_mmpretrain(name))


@pytest.mark.slow
@pytest.mark.parametrize('name', SEVERAL)
def test_several_classifiers_are_refused(name):
    with pytest.raises(ValueError, match='(no single linear layer|a single linear layer)'):
        find_classifier(of_mmpretrain(name))


@pytest.mark.slow
@pytest.mark.parametrize('name', TIMM)
def test_timm(name):
    timm = pytest.importorskip('timm')
    # Some have no classifier by default.
    assert_the_classifiers_input_gives_the_scores(timm.create_model(name, num_classes=10))


@pytest.mark.slow
@pytest.mark.parametrize('name', TORCHVISION)
def test_torchvision(name):
    models = pytest.importorskip('torchvision.models')
    settings = dict(init_weights=False) if name == 'googlenet' else {}
    assert_the_classifiers_input_gives_the_scores(models.get_model(name, weights=None, **settings))
