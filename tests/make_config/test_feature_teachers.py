"""Teachers without a classifier are found by what they are, and their feature is learned."""

from pathlib import Path

import pytest
import small_models
import torch
from image_folders import split
from mmengine.config import Config
from mmengine.registry import MODELS

from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import read_run
from gendd_mm.make_config import write_config
from gendd_mm.make_config.measured import has_classifier

timm = pytest.importorskip('timm')
VIT = 'vit_tiny_patch16_224'


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Images, and weights of a transformer with a classifier and without, made for 64 pixels."""
    folder = tmp_path_factory.mktemp('features')
    split(folder / 'images', 2)
    for name, classes in (('features', 0), ('scores', 3)):
        torch.manual_seed(0)
        network = timm.create_model(VIT, img_size=64, num_classes=classes)
        torch.save(network.state_dict(), folder / f'{name}.pth')
    return folder


def write(folder: Path, out: Path, **settings) -> Config:
    settings = (
        dict(
            teacher=f'timm:{VIT}',
            teacher_ckpt=str(folder / 'features.pth'),
            student='timm:resnet10t',
            data=str(folder / 'images'),
            image_size=32,
        )
        | settings
    )
    write_config(str(out), **settings)
    return read_run(str(out))


def test_weights_without_a_classifier_make_a_teacher_of_features(folder, tmp_path):
    cfg = write(folder, tmp_path / 'a.py')
    assert cfg.model.teacher_classifier is None
    assert (cfg.model.teacher.num_classes, cfg.model.teacher.img_size) == (0, 32)
    assert cfg.model.architecture.head.type == 'gendd_mm.NoHead'
    assert small_models.head_of(cfg).target_dim == 192
    assert not cfg.train_dataloader.dataset.with_label
    assert cfg.val_dataloader.dataset.with_label
    assert cfg.val_evaluator.type == cfg.test_evaluator.type == 'gendd_mm.FeatureQuality'
    model = build_model(cfg)
    theirs = torch.load(folder / 'features.pth')['blocks.0.attn.qkv.weight']
    assert model.teacher.model.model.blocks[0].attn.qkv.weight.equal(theirs)


def test_weights_with_a_classifier_do_not(folder, tmp_path):
    cfg = write(folder, tmp_path / 'a.py', teacher_ckpt=str(folder / 'scores.pth'))
    assert 'teacher_classifier' not in cfg.model
    assert cfg.model.teacher.num_classes == cfg.model.architecture.head.num_classes == 3


def test_without_validation_nothing_is_evaluated(folder, tmp_path):
    cfg = write(folder, tmp_path / 'a.py', data=str(folder / 'images' / 'train'))
    assert cfg.val_evaluator is cfg.test_evaluator is cfg.get('val_dataloader') is None


def test_a_network_of_timm_that_has_no_classifier_by_itself(folder, tmp_path):
    settings = dict(teacher='timm:eva02_tiny_patch14_224', teacher_ckpt=None)
    cfg = write(folder, tmp_path / 'a.py', image_size=28, **settings)
    assert cfg.model.teacher_classifier is None
    assert cfg.model.teacher.pretrained
    assert cfg.model.teacher.img_size == 28
    with pytest.raises(
        ValueError, match=r'--image-size 32 is no multiple .* 14 pixels; take 28 or'
    ):
        write(folder, tmp_path / 'b.py', **settings)
    with pytest.raises(ValueError, match='--labels, but timm:eva02.* has no classifier'):
        write(folder, tmp_path / 'b.py', image_size=28, labels=True, **settings)


def test_a_config_without_a_head(folder, tmp_path):
    own = small_models.teacher()
    own.pop('head')
    Config(dict(model=own)).dump(tmp_path / 'own.py')
    torch.save(MODELS.build(own).state_dict(), tmp_path / 'own.pth')
    teacher = dict(teacher=str(tmp_path / 'own.py'), teacher_ckpt=str(tmp_path / 'own.pth'))
    cfg = write(folder, tmp_path / 'pair.py', **teacher)
    assert cfg.model.teacher_classifier is None
    assert small_models.head_of(cfg).target_dim == small_models.TEACHER_DIM
    build_model(cfg)


@pytest.mark.parametrize('name', ['squeezenet1_0', 'deit_tiny_distilled_patch16_224'])
def test_other_classifiers_than_one_linear_layer_are_no_features(name):
    if 'deit' in name:
        teacher = dict(type='mmpretrain.TimmClassifier', model_name=name)
    else:
        pytest.importorskip('torchvision.models')
        network = dict(type=f'torchvision.models.{name}')
        teacher = dict(type='gendd_mm.ModuleClassifier', network=network)
    with pytest.raises(ValueError, match='no single linear layer of the teacher'):
        has_classifier(MODELS.build(teacher))


def test_a_self_supervised_training_is_no_teacher(folder, tmp_path):
    with pytest.raises(ValueError, match='SimSiam is a self-supervised training'):
        write(folder, tmp_path / 'a.py', teacher='simsiam_resnet50_8xb32-coslr-100e_in1k')


@pytest.mark.fault(
    'Configs', 'weights that are not in the cache, and no network', 'refused, the remedy named'
)
def test_weights_that_cannot_be_fetched_are_asked_for(folder, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError('Name or service not known')

    cfg = write(folder, tmp_path / 'a.py', teacher_ckpt=None, student='timm:resnet10t')
    monkeypatch.setattr(timm.models, 'create_model', offline)
    with pytest.raises(FileNotFoundError, match='nor to be fetched: Name or .*set teacher_ckpt'):
        build_model(cfg)


@pytest.mark.fault(
    'Configs',
    'images of a size that a network does not run on',
    'refused before a config is written',
)
@pytest.mark.parametrize('side', ['teacher', 'student'])
def test_a_size_that_a_network_does_not_run_on_is_refused(folder, tmp_path, side):
    pytest.importorskip('torchvision.models')
    settings = {side: 'torchvision:vit_b_16', 'teacher_ckpt': None}
    with pytest.raises(ValueError, match='vit_b_16 does not run on images of --image-size 32'):
        write(folder, tmp_path / 'a.py', **settings)


def test_students_of_timm_get_the_size_of_the_images(folder, tmp_path):
    cfg = write(folder, tmp_path / 'a.py', student=f'timm:{VIT}')
    assert build_model(cfg).student.extract_feat(torch.randn(2, 3, 32, 32))[-1].shape == (2, 192)
    # It has no classifier to take away.
    cfg = write(folder, tmp_path / 'b.py', student='timm:eva02_tiny_patch14_224', image_size=112)
    assert cfg.model.architecture.backbone.network.num_classes == 1
