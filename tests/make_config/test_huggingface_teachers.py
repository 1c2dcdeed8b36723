"""A folder of HuggingFace's transformers teaches by its classifier, or by its feature."""

import json
from pathlib import Path

import pytest
import small_models
import torch
from image_folders import split
from mmengine.config import Config

from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import read_run
from gendd_mm.make_config import write_config
from gendd_mm.models.build_network import build_network

transformers = pytest.importorskip('transformers')
SIZES = dict(
    image_size=32,
    patch_size=4,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A ViT with a classifier, one without a pooler, and a DINOv2."""
    split(tmp_path / 'images', 2)
    torch.manual_seed(0)
    vit = transformers.ViTConfig(**SIZES, num_labels=3)
    networks = dict(
        classifier=transformers.ViTForImageClassification(vit),
        bare=transformers.ViTModel(vit, add_pooling_layer=False),
        dinov2=transformers.Dinov2Model(transformers.Dinov2Config(**SIZES)),
    )
    for name, network in networks.items():
        network.save_pretrained(tmp_path / name)
        images = dict(image_mean=[0.5] * 3, image_std=[0.25] * 3)
        (tmp_path / name / 'preprocessor_config.json').write_text(json.dumps(images))
    return tmp_path


def write(folder: Path, name: str, **settings) -> Config:
    write_config(
        str(folder / f'{name}.py'),
        teacher=f'huggingface:{folder / name}',
        student='timm:resnet10t',
        data=str(folder / 'images'),
        image_size=32,
        **settings,
    )
    return read_run(str(folder / f'{name}.py'))


def test_a_classifier_teaches_by_its_classes(folder):
    cfg = write(folder, 'classifier')
    assert 'teacher_classifier' not in cfg.model
    assert cfg.model.architecture.head.num_classes == 3
    assert cfg.model.teacher.data_preprocessor.mean == [127.5] * 3
    assert cfg.model.teacher.data_preprocessor.std == [63.75] * 3
    assert build_model(cfg).teacher.classifier_name == 'network.classifier'


@pytest.mark.parametrize('name', ['bare', 'dinov2'])
def test_others_teach_by_their_feature(folder, name):
    cfg = write(folder, name)
    assert cfg.model.teacher_classifier is None
    assert small_models.head_of(cfg).target_dim == 16
    network = build_model(cfg).teacher.model.network
    # Without weights, a pooler is left out.
    assert getattr(network, 'pooler', None) is None


def test_weights_that_are_not_there_are_an_error(folder):
    network = dict(
        type='transformers.AutoModel.from_pretrained',
        pretrained_model_name_or_path=str(folder / 'bare'),
    )
    with pytest.raises(ValueError, match=r'no weights of .*pooler.*add_pooling_layer=False'):
        build_network(network)
    network['type'] = 'transformers.AutoModelForImageClassification.from_pretrained'
    with pytest.raises(ValueError, match=r'no weights of .*classifier.*the type that was saved'):
        build_network(network)


def test_what_is_missing_is_named(folder):
    with pytest.raises(ValueError, match='has its weights in the folder; leave --teacher-ckpt out'):
        write(folder, 'bare', teacher_ckpt='weights.pth')
    (folder / 'bare' / 'preprocessor_config.json').unlink()
    with pytest.raises(
        ValueError, match=r'preprocessor_config\.json does not exist; save the image'
    ):
        write(folder, 'bare')
    with pytest.raises(ValueError, match=r'config\.json does not exist; save the network'):
        write(folder, 'gone')
