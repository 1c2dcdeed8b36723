"""Sizes that a config leaves open are those of the networks."""

import copy

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from gendd_mm.engine.model import measure_model
from gendd_mm.models.algorithms import fill_in_sizes
from gendd_mm.models.algorithms.build_teacher import build_teacher, expanded
from gendd_mm.models.algorithms.pair_checks import _check_pooling


def gendd(**settings) -> dict:
    """The algorithm on the tiny models, without a number of its own."""
    model = small_models.gendd(teacher=small_models.built_teacher(), **settings)
    loss = model['distiller']['distill_losses']['loss_gendd']
    for name in ('condition_dim', 'target_dim'):
        del loss['head'][name]
    del model['distiller']['connectors']['condition']['normalized_shape']
    for name in ('num_classes', 'in_channels'):
        del model['architecture']['head'][name]
    return model


def state(model) -> dict:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def test_an_open_config_is_the_same_model():
    stated = small_models.gendd(teacher=small_models.built_teacher())
    model = MODELS.build(gendd())
    assert state(model) == state(MODELS.build(stated))
    model.init_weights()
    losses = small_models.losses_of(model, small_models.batch())
    assert losses['distill.loss_gendd'].isfinite()


def test_all_numbers_are_filled_in_and_the_config_stays():
    open_config = gendd()
    before = copy.deepcopy(open_config)
    numbers = torch.get_rng_state()
    model = fill_in_sizes(open_config)
    assert torch.get_rng_state().equal(numbers)
    assert open_config.keys() == before.keys()
    assert open_config['architecture'] == before['architecture']
    assert open_config['distiller'] == before['distiller']
    head = model['distiller']['distill_losses']['loss_gendd']['head']
    assert (head['condition_dim'], head['target_dim']) == (4, 8)
    assert model['distiller']['connectors']['condition']['normalized_shape'] == 4
    assert model['architecture']['head']['num_classes'] == 3
    assert model['architecture']['head']['in_channels'] == 4
    assert fill_in_sizes(model) is model


def test_the_teachers_weights_are_not_needed():
    config = gendd()
    config['teacher'] = dict(small_models.teacher(), pretrained='gone.pth')
    config['teacher_ckpt'] = 'gone.pth'
    model = fill_in_sizes(config)
    assert model['architecture']['head']['num_classes'] == 3
    assert model['teacher_ckpt'] == 'gone.pth'


def test_a_student_without_a_neck_is_recorded_at_its_backbone():
    config = gendd()
    config['architecture']['backbone'] = dict(
        type='mmpretrain.VisionTransformer',
        img_size=8,
        patch_size=4,
        arch=dict(embed_dims=12, num_layers=1, num_heads=2, feedforward_channels=8),
    )
    config['architecture']['neck'] = None
    model = MODELS.build(config)
    model.init_weights()
    # The head's last layers start at zero, and no gradient passes them.
    for parameter in model.distiller.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    sum(small_models.losses_of(model, small_models.batch()).values()).backward()
    assert model.student.head.in_channels == 12
    gradients = [p.grad.abs().max() for p in model.student.backbone.parameters()]
    assert sum(gradient > 0 for gradient in gradients) >= len(gradients) - 1


def test_maps_have_no_size():
    config = gendd()
    config['architecture']['neck'] = None
    with pytest.raises(ValueError, match='maps .*GlobalAveragePooling'):
        fill_in_sizes(config)


def test_a_run_states_what_was_measured(tmp_path):
    from gendd_mm.engine.options import RunOptions, merge_train

    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, teacher)
    whole = copy.deepcopy(cfg.model.to_dict())
    head = small_models.head_of(cfg)
    del head['condition_dim'], head['target_dim']
    del cfg.model.architecture.head['num_classes'], cfg.model.architecture.head['in_channels']
    del cfg.model.distiller.connectors.condition['normalized_shape']
    merged = merge_train(Config(cfg.to_dict(), filename=cfg.filename), RunOptions())
    recorders = merged.model.distiller.student_recorders
    assert recorders.pop('feat') == dict(type='mmrazor.ModuleOutputs', source='neck')
    assert merged.model.to_dict() == whole


MIXUP = [dict(type='Mixup', alpha=1.0)]


@pytest.mark.parametrize('stated', [False, True])
def test_mixed_labels_have_as_many_classes_as_the_student(stated):
    """Whether or not the sizes of the head are stated."""
    config = gendd()
    if stated:
        config = fill_in_sizes(config)
    config['architecture'] = dict(config['architecture'], train_cfg=dict(augments=MIXUP))
    complete = fill_in_sizes(config)
    assert complete['architecture']['data_preprocessor'] == dict(num_classes=3)
    assert fill_in_sizes(complete) is complete
    assert 'data_preprocessor' not in config['architecture']
    model = MODELS.build(config)
    assert model.data_preprocessor.num_classes == 3
    data = model.data_preprocessor(small_models.batch(), training=True)
    assert data['data_samples'][0].gt_score.shape == (3,)


def test_another_number_of_mixed_classes_is_refused():
    config = gendd()
    mixes = dict(train_cfg=dict(augments=MIXUP), data_preprocessor=dict(num_classes=5))
    config['architecture'] = dict(config['architecture'], **mixes)
    with pytest.raises(ValueError, match='data_preprocessor.num_classes=5 .* num_classes=3'):
        MODELS.build(config)


@pytest.mark.parametrize('place', ['top', 'model'])
def test_a_preprocessor_elsewhere_gets_the_classes_if_it_mixes(place):
    for augments, expected in ((dict(augments=MIXUP), 3), (None, None)):
        cfg = Config(dict(model=fill_in_sizes(dict(gendd(), teacher=small_models.teacher()))))
        owner = cfg if place == 'top' else cfg.model
        owner.data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor')
        if augments:
            owner.data_preprocessor.batch_augments = augments
        measure_model(cfg)
        assert owner.data_preprocessor.get('num_classes') == expected


@pytest.mark.fault(
    'Checkpoints', 'a network that asks to run the code in its files', 'refused unread'
)
@pytest.mark.parametrize('asked', [dict(trust_remote_code=True), dict(use_safetensors=False)])
def test_no_way_to_build_a_network_runs_the_code_in_its_files(asked):
    network = dict(type='mmpretrain.HuggingFaceClassifier', model_name='folder', **asked)
    sizes_open = small_models.gendd(teacher=network)
    del sizes_open['distiller']['distill_losses']['loss_gendd']['head']['target_dim']
    as_student = small_models.gendd(teacher=small_models.built_teacher(), architecture=network)
    # Each refuses before transformers is imported.
    with pytest.raises(ValueError, match='are refused'):
        build_teacher(network, None)
    with pytest.raises(ValueError, match='are refused'):
        fill_in_sizes(sizes_open)
    with pytest.raises(ValueError, match='are refused'):
        MODELS.build(as_student)
    del network[next(iter(asked))]
    safe = expanded(dict(network, pretrained=True))
    assert safe['use_safetensors'] is True
    assert safe['trust_remote_code'] is False


def test_maps_with_channels_last_are_not_pooled_over_their_channels():
    pytest.importorskip('timm')
    student = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(
            type='mmpretrain.TIMMBackbone',
            model_name='swin_tiny_patch4_window7_224',
            # So that it is quick.
            img_size=32,
            window_size=2,
            embed_dim=12,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 1, 1),
        ),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='gendd_mm.NoHead'),
    )
    with pytest.raises(ValueError, match=r'maps \(B, H, W, S\).*ModuleBackbone'):
        _check_pooling(MODELS.build(student))
    student['neck'] = None
    _check_pooling(MODELS.build(student))
