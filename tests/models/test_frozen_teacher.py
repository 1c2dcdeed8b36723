"""The teacher: loaded strictly or not at all."""

import os
import re

import pytest
import small_models
import torch
from mmengine import hub
from mmengine.registry import MODELS
from small_models import built, built_teacher, saved_teacher, teacher

from gendd_mm.models.algorithms.build_teacher import build_teacher, expanded
from gendd_mm.models.algorithms.frozen_teacher import FrozenTeacher
from gendd_mm.models.algorithms.renormalize import Renormalize


@pytest.fixture
def path(tmp_path) -> str:
    return saved_teacher(tmp_path / 'teacher.pth')


def rewritten(path: str, **changes) -> str:
    """The checkpoint with entries replaced; None removes one."""
    state = torch.load(path)['state_dict']
    for key, value in changes.items():
        key = key.replace('__', '.')
        state.pop(key, None)
        if value is not None:
            state[key] = value
    torch.save(dict(state_dict=state), path)
    return path


def is_loaded(model, path: str) -> bool:
    state = torch.load(path)
    state = state.get('state_dict', state)
    return all(value.equal(state[key]) for key, value in model.state_dict().items())


def test_every_weight_comes_from_the_file(path):
    assert is_loaded(build_teacher(teacher(), path), path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(head__fc__weight=None), "missing keys ['head.fc.weight']"),
        (dict(extra=torch.ones(1)), "unexpected keys ['extra']"),
        (dict(head__fc__bias=torch.ones(7)), "shapes ['head.fc.bias (7,) instead of (3,)']"),
        (
            dict(
                head__fc__bias=torch.ones(7), extra=torch.ones(1), backbone__norm__running_mean=None
            ),
            "missing keys ['backbone.norm.running_mean'], unexpected keys ['extra'], "
            "shapes ['head.fc.bias (7,) instead of (3,)']",
        ),
    ],
)
def test_one_error_lists_what_does_not_fit(path, changes, message):
    rewritten(path, **changes)
    with pytest.raises(ValueError, match='does not fit') as error:
        build_teacher(teacher(), path)
    assert message in str(error.value)
    assert path in str(error.value)
    assert 'exactly this' in str(error.value)


def test_a_long_list_is_cut(tmp_path):
    state = {f'key{i}': torch.ones(1) for i in range(50)}
    torch.save(state, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='and 30 more'):
        build_teacher(teacher(), str(tmp_path / 'other.pth'))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='gone.pth.*train it first'):
        build_teacher(teacher(), 'gone.pth')


class Payload:
    """What an attacker would put into a file."""

    def __reduce__(self):
        return os.system, ('true',)


def test_an_unsafe_pickle_is_refused(tmp_path):
    path = tmp_path / 'unsafe.pth'
    torch.save(dict(state_dict={'a': torch.ones(1)}, meta=Payload()), path)
    with pytest.raises(ValueError, match='unsafe.pth.*weights_only'):
        build_teacher(teacher(), str(path))


def test_a_teacher_without_weights_is_refused():
    with pytest.raises(ValueError, match='no weights.*set teacher_ckpt'):
        build_teacher(teacher(), None)


def test_a_built_teacher_is_taken_as_it_is(path):
    model = built_teacher()
    assert build_teacher(model, None) is model
    assert is_loaded(build_teacher(model, path), path)


def test_the_teachers_own_config_may_name_its_weights(path):
    """As mmpretrain's configs do, in either way."""
    own = dict(type='Pretrained', checkpoint=path)
    assert is_loaded(build_teacher(teacher(init_cfg=own), None), path)
    assert is_loaded(build_teacher(teacher(pretrained=path), None), path)


def test_the_named_checkpoint_wins_over_the_configs(path):
    own = dict(type='Pretrained', checkpoint='gone.pth')
    assert is_loaded(build_teacher(teacher(init_cfg=own), path), path)
    assert is_loaded(build_teacher(teacher(pretrained='gone.pth'), path), path)


def test_a_backbones_own_weights_are_not_the_teachers():
    own = dict(type='Pretrained', checkpoint='gone.pth')
    with pytest.raises(ValueError, match='set teacher_ckpt'):
        build_teacher(teacher(backbone=dict(init_cfg=own)), None)


def test_pretrained_without_a_config_path_is_refused():
    with pytest.raises(ValueError, match='cfg_path only; give teacher_ckpt'):
        build_teacher(teacher(pretrained=True), None)


@pytest.mark.fault(
    'Checkpoints', "a library's weights without those of a layer", 'the layer is named'
)
def test_a_layer_that_the_library_leaves_random_is_no_teacher(monkeypatch):
    models = pytest.importorskip('torchvision.models')
    network = dict(type='torchvision.models.resnet18', weights=None, num_classes=3)
    config = dict(type='gendd_mm.ModuleClassifier', network=network, pretrained=True)
    with pytest.raises(ValueError, match=r"lack \['network.conv1.weight', .* and \d+ more"):
        build_teacher(config, None)
    weights = models.resnet18(num_classes=3).state_dict()

    def trained(random=False):
        network = models.resnet18(num_classes=3)
        network.load_state_dict(weights)
        if random:
            network.fc.reset_parameters()
        return network

    monkeypatch.setattr(models, 'trained', trained, raising=False)
    network = dict(type='torchvision.models.trained')
    config = dict(type='gendd_mm.ModuleClassifier', network=network, pretrained=True)
    state = torch.get_rng_state()
    assert build_teacher(config, None).network.fc.weight.equal(weights['fc.weight'])
    assert torch.get_rng_state().equal(state)
    with pytest.raises(ValueError, match=r"lack \['network.fc.weight', 'network.fc.bias'\]"):
        build_teacher(dict(config, network=dict(network, random=True)), None)


UPSTREAM = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'


@pytest.fixture(scope='module')
def upstream_ckpt(tmp_path_factory) -> str:
    from mmengine.hub import get_model

    path = tmp_path_factory.mktemp('upstream') / 'resnet18.pth'
    torch.save(get_model(UPSTREAM, pretrained=False).state_dict(), path)
    return str(path)


@pytest.mark.parametrize('pretrained', [dict(), dict(pretrained=True)])
def test_a_teacher_by_an_upstream_config(upstream_ckpt, pretrained):
    # With a checkpoint at hand, nothing is looked up elsewhere.
    config = dict(cfg_path=UPSTREAM, **pretrained)
    model = build_teacher(config, upstream_ckpt)
    assert is_loaded(model, upstream_ckpt)
    assert config.keys() == {'cfg_path', *pretrained}


def test_pretrained_takes_the_weights_that_upstream_names(upstream_ckpt, monkeypatch):
    asked = []

    def get_config(path, pretrained=False):
        asked.append((path, pretrained))
        config = hub.get_config(path)
        config.model_path = upstream_ckpt
        return config

    monkeypatch.setattr('gendd_mm.models.algorithms.build_teacher.get_config', get_config)
    model = build_teacher(dict(cfg_path=UPSTREAM, pretrained=True), None)
    assert is_loaded(model, upstream_ckpt)
    assert asked == [(UPSTREAM, True), (UPSTREAM, False)]


def test_settings_beside_cfg_path_override_those_of_upstream(tmp_path):
    config = dict(
        cfg_path=UPSTREAM,
        backbone=dict(depth=34),
        head=dict(num_classes=3),
        data_preprocessor=dict(mean=[1.0, 2.0, 3.0]),
    )
    model = MODELS.build(expanded(config))
    path = str(tmp_path / 'resnet34.pth')
    torch.save(model.state_dict(), path)
    model = build_teacher(config, path)
    assert is_loaded(model, path)
    assert model.backbone.depth == 34
    assert model.head.fc.out_features == 3
    assert model.data_preprocessor.mean.flatten().tolist() == [1, 2, 3]
    assert model.data_preprocessor.std.flatten().tolist() != [1, 1, 1]  # upstream's
    assert 'type' not in config


def test_a_config_that_upstream_does_not_have_is_named():
    with pytest.raises(ValueError, match="cfg_path='mmpretrain::resnet/resnet1.py' is no config"):
        build_teacher(dict(cfg_path='mmpretrain::resnet/resnet1.py'), 'any.pth')


# mmpretrain's classifier renames the keys itself; ours holds them below `network.`.
WRAPPERS = [
    dict(type='mmpretrain.TimmClassifier', model_name='resnet10t', num_classes=3),
    dict(
        type='gendd_mm.ModuleClassifier',
        network=dict(type='timm.create_model', model_name='resnet10t', num_classes=3),
    ),
]


@pytest.mark.parametrize('config', WRAPPERS)
def test_timms_own_weights_fit_its_network_inside_a_classifier(config, tmp_path):
    timm = pytest.importorskip('timm')
    network = timm.create_model('resnet10t', num_classes=3).eval()
    path = str(tmp_path / 'timm.pth')
    torch.save(network.state_dict(), path)
    images = torch.randn(2, 3, 32, 32)
    model = build_teacher(config, path)
    assert model.eval()(images).equal(network(images))
    torch.save(model.state_dict(), path)  # and the classifier's own file
    assert build_teacher(config, path).eval()(images).equal(network(images))

    weights = dict(network.state_dict(), extra=torch.ones(1))
    del weights['fc.bias']
    torch.save(weights, path)
    with pytest.raises(ValueError, match='does not fit') as error:
        build_teacher(config, path)
    found = re.search(
        r"missing keys \['\w+.fc.bias'\], unexpected keys \['\w+.extra'\]", str(error.value)
    )
    assert found, error.value


def test_an_upstream_teacher_trains_a_student(upstream_ckpt):
    """The whole algorithm on it, in its own normalisation."""
    distiller = small_models.gendd()['distiller']
    distiller['distill_losses']['loss_gendd']['head'].update(
        target_dim=512, tokenizer=dict(type='SplitTokenizer', token_dim=64)
    )
    student = small_models.student()
    student['head']['num_classes'] = 10
    model = MODELS.build(
        small_models.gendd(
            teacher=dict(cfg_path=UPSTREAM),
            teacher_ckpt=upstream_ckpt,
            distiller=distiller,
            architecture=student,
        )
    )
    model.train()
    losses = small_models.losses_of(model, small_models.batch())
    assert losses['distill.loss_gendd'].isfinite()
    assert not model.teacher.renormalize.identity


@pytest.mark.parametrize('name', ['head', 'head.fc.weight', 'fc', ''])
def test_a_classifier_that_is_no_linear_layer_is_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' is not a linear layer.*'head.fc'"):
        built(teacher_classifier=name)


def test_classify_is_the_teachers_last_layer():
    model = built_teacher()
    frozen = FrozenTeacher(model, Renormalize(model, None), 'head.fc')
    images = torch.randn(3, 3, 8, 8)
    features = frozen.extract_feat(images)[-1]
    scores = frozen.classify(features)
    torch.testing.assert_close(scores, model.eval()(images))
    assert not scores.requires_grad
    assert not any(p.requires_grad for p in model.parameters())


def test_it_cannot_be_trained():
    with pytest.raises(ValueError, match='teacher_trainable'):
        built(teacher_trainable=True)


def test_the_classifier_in_the_weights_of_a_feature_teacher_is_left_out(tmp_path):
    timm = pytest.importorskip('timm')
    source = timm.create_model('resnet18', num_classes=3)
    torch.save(source.state_dict(), tmp_path / 'a.pth')
    teacher = dict(type='mmpretrain.TimmClassifier', model_name='resnet18', num_classes=0)
    model = build_teacher(teacher, str(tmp_path / 'a.pth'), features_only=True)
    assert model.model.conv1.weight.equal(source.conv1.weight)
    with pytest.raises(ValueError, match='unexpected keys'):  # it is to have a classifier
        build_teacher(teacher, str(tmp_path / 'a.pth'))
    # More than one layer is another network.
    torch.save({**source.state_dict(), 'layer5.weight': torch.ones(1, 1)}, tmp_path / 'b.pth')
    with pytest.raises(ValueError, match='unexpected keys'):
        build_teacher(teacher, str(tmp_path / 'b.pth'), features_only=True)
