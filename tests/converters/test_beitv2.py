"""BEiTv2 gives the scores of timm, and its authors' files are read alike."""

from dataclasses import replace

import pytest
import torch
from mmpretrain.registry import MODELS
from random_weights import randomize

from gendd_mm.converters import BEITV2, convert_checkpoint, convert_weights

timm = pytest.importorskip('timm')

SMALL = replace(
    BEITV2['base'],
    backbone=dict(
        BEITV2['base'].backbone,
        img_size=32,
        arch=dict(embed_dims=64, num_layers=2, num_heads=4, feedforward_channels=256),
    ),
    feature_dim=64,
)


@pytest.fixture
def source():
    """BEiTv2 but for its size, with random weights."""
    model = timm.create_model(
        'beitv2_base_patch16_224', num_classes=10, img_size=32, embed_dim=64, depth=2, num_heads=4
    ).eval()
    randomize(model.state_dict())
    return model


def build(weights, architecture, num_classes=10):
    model = MODELS.build(architecture.classifier(num_classes))
    model.load_state_dict(weights, strict=True)
    return model.eval()


def assert_same_scores(ours, source, images):
    torch.testing.assert_close(ours(images, mode='tensor'), source(images), rtol=1e-4, atol=1e-4)


def test_scores_are_those_of_timm(source):
    ours = build(convert_weights(source.state_dict(), SMALL), SMALL)
    assert_same_scores(ours, source, torch.randn(2, 3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize('name', BEITV2)
def test_scores_are_those_of_timm_at_full_size(name):
    source = timm.create_model(f'beitv2_{name}_patch16_224').eval()
    randomize(source.state_dict())
    weights = convert_weights(source.state_dict(), BEITV2[name])
    ours = build(weights, BEITV2[name], num_classes=1000)
    assert_same_scores(ours, source, torch.randn(1, 3, 224, 224))


# As the authors' code names them; a classifier of the mean of the patches has
# no norm on all tokens.
OFFICIAL_BLOCK = [
    'gamma_1',
    'gamma_2',
    'norm1.weight',
    'norm1.bias',
    'attn.q_bias',
    'attn.v_bias',
    'attn.relative_position_bias_table',
    'attn.relative_position_index',
    'attn.qkv.weight',
    'attn.proj.weight',
    'attn.proj.bias',
    'norm2.weight',
    'norm2.bias',
    'mlp.fc1.weight',
    'mlp.fc1.bias',
    'mlp.fc2.weight',
    'mlp.fc2.bias',
]
OFFICIAL = [
    'cls_token',
    'patch_embed.proj.weight',
    'patch_embed.proj.bias',
    'fc_norm.weight',
    'fc_norm.bias',
    'head.weight',
    'head.bias',
] + [f'blocks.{i}.{name}' for i in range(2) for name in OFFICIAL_BLOCK]


@pytest.mark.parametrize('wrapper', ['model', 'module'])
def test_files_of_the_authors_are_read(source, wrapper, tmp_path):
    weights = dict(source.state_dict())
    for i, block in enumerate(source.blocks):
        weights[f'blocks.{i}.attn.relative_position_index'] = block.attn.relative_position_index
    assert sorted(weights) == sorted(OFFICIAL)
    torch.save({wrapper: weights}, tmp_path / 'official.pth')
    classes = convert_checkpoint(str(tmp_path / 'official.pth'), str(tmp_path / 'ours.pth'), SMALL)
    assert classes == 10
    written = torch.load(tmp_path / 'ours.pth', weights_only=True)
    ours = build(written['state_dict'], SMALL)
    assert_same_scores(ours, source, torch.randn(2, 3, 32, 32))


def test_the_index_table_is_that_of_the_authors(source):
    converted = convert_weights(source.state_dict(), SMALL)
    for i, block in enumerate(source.blocks):
        key = f'backbone.layers.{i}.attn.relative_position_index'
        assert converted[key].equal(block.attn.relative_position_index)


def test_a_model_that_was_only_pretrained_is_an_error(source):
    weights = dict(source.state_dict())
    for name in ('head', 'fc_norm'):
        weights.pop(f'{name}.weight')
        weights.pop(f'{name}.bias')
    with pytest.raises(ValueError, match='no classifier.*fine-tuned'):
        convert_weights(weights, SMALL)
    weights['lm_head.weight'] = weights['mask_token'] = torch.zeros(1)
    with pytest.raises(ValueError, match='2 of .*lm_head.*mask_token'):
        convert_weights(weights, SMALL)


def test_another_size_is_an_error(source):
    with pytest.raises(ValueError, match="does not fit .*'arch': 'base'"):
        convert_weights(source.state_dict(), BEITV2['base'])
