"""Teachers without a classifier: the target is the network's own feature."""

from types import SimpleNamespace

import pytest
import small_models
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from torch import nn

from gendd_mm.analysis.pair_report import inspect_pair
from gendd_mm.engine.options import read_run
from gendd_mm.evaluation import ProbeAccuracy
from gendd_mm.models import ModuleClassifier
from gendd_mm.models.algorithms.teacher_features import feature_sizes, teacher_features

timm = pytest.importorskip('timm')
ALL = ('pooled', 'cls_token', 'patch_tokens')
VIT = dict(
    model_name='vit_tiny_patch16_224',
    num_classes=0,
    img_size=32,
    depth=2,
    reg_tokens=2,
    num_heads=2,
)


def vit(**settings) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(**{**VIT, **settings}).eval()


class Transformer(nn.Module):
    """What transformers' AutoModel gives: tokens, and perhaps a pooled feature."""

    def __init__(self, pooled: str | None = None, registers: int = 0) -> None:
        super().__init__()
        self.pooled = pooled
        self.config = SimpleNamespace(num_register_tokens=registers, image_size=8)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.patches = nn.Conv2d(3, 8, 4, 4)

    def forward(self, images):
        patches = self.patches(images).flatten(2).transpose(1, 2)
        prefix = self.cls_token.expand(len(images), 1 + self.config.num_register_tokens, -1)
        tokens = torch.cat([prefix, patches], 1)
        output = SimpleNamespace(last_hidden_state=tokens, pooler_output=None)
        if self.pooled:
            setattr(output, self.pooled, tokens.sum(1))
        return output


class Dictionary(nn.Module):
    def forward(self, images):
        return dict(x_norm_clstoken=images.mean((2, 3)))


def test_features_of_timms_transformer():
    network, images = vit(), torch.randn(2, 3, 32, 32)
    features = teacher_features(ModuleClassifier(network), images, ALL)
    tokens = network.forward_features(images)
    assert tokens.shape[1] == 1 + 2 + 4
    assert features['pooled'].equal(network(images))
    assert features['cls_token'].equal(tokens[:, 0])
    assert features['patch_tokens'].equal(tokens[:, 3:].mean(1))
    inside = MODELS.build(dict(type='mmpretrain.TimmClassifier', **VIT)).eval()
    inside.model.load_state_dict(network.state_dict())
    assert teacher_features(inside, images)['pooled'].equal(features['pooled'])


def test_the_feature_of_torchvisions_network():
    models = pytest.importorskip('torchvision.models')
    network = models.resnet18(weights=None).eval()
    network.fc = nn.Identity()
    images = torch.randn(2, 3, 32, 32)
    assert teacher_features(ModuleClassifier(network), images)['pooled'].equal(network(images))
    assert feature_sizes(ModuleClassifier(network), ['pooled']) == dict(pooled=512)


@pytest.mark.parametrize('neck', [True, False])
def test_the_feature_of_mmpretrains_network_without_a_head(neck):
    settings = dict(small_models.teacher(), head=None)
    if not neck:
        settings['neck'] = None
    model, images = MODELS.build(settings).eval(), torch.randn(2, 3, 8, 8)
    expected = model.backbone(images)[-1].mean((2, 3))
    torch.testing.assert_close(teacher_features(model, images)['pooled'], expected)


def test_the_tokens_of_mmpretrains_transformer():
    arch = dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8)
    backbone = dict(type='VisionTransformer', arch=arch, img_size=8, patch_size=4, out_type='raw')
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone)).eval()
    images = torch.randn(2, 3, 8, 8)
    (tokens,) = model.backbone(images)
    features = teacher_features(model, images, ALL)
    assert features['cls_token'].equal(tokens[:, 0])
    assert features['pooled'].equal(tokens[:, 0])
    assert features['patch_tokens'].equal(tokens[:, 1:].mean(1))


def test_the_tokens_of_timms_transformer_inside_a_backbone():
    backbone = dict(type='mmpretrain.TIMMBackbone', **VIT)
    del backbone['num_classes']
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone)).eval()
    images = torch.randn(2, 3, 32, 32)
    tokens = model.backbone.timm_model.forward_features(images)
    features = teacher_features(model, images, ALL)
    assert features['cls_token'].equal(tokens[:, 0])
    assert features['patch_tokens'].equal(tokens[:, 3:].mean(1))


@pytest.mark.parametrize('wrapped', [True, False])
def test_maps_with_channels_last_are_averaged_over_their_cells(wrapped):
    settings = dict(
        model_name='swin_tiny_patch4_window7_224',
        img_size=32,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 1),
        window_size=4,
    )
    if wrapped:
        backbone = dict(type='mmpretrain.TIMMBackbone', **settings)
        model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone)).eval()
        network = model.backbone.timm_model
    else:
        network = timm.create_model(num_classes=0, global_pool='', **settings).eval()
        model = ModuleClassifier(network)
    images = torch.randn(2, 3, 32, 32)
    maps = network.forward_features(images)
    assert maps.shape == (2, 4, 4, 16)
    torch.testing.assert_close(
        teacher_features(model, images)['pooled'], maps.flatten(1, 2).mean(1)
    )


def test_a_distillation_token_is_no_patch():
    network, images = Transformer(), torch.randn(2, 3, 8, 8)
    expected = network(images).last_hidden_state[:, 2:].mean(1)
    network.distillation_token = nn.Parameter(torch.zeros(1, 1, 8))
    assert teacher_features(ModuleClassifier(network), images, ALL)['patch_tokens'].equal(expected)


@pytest.mark.parametrize('pooled', [None, 'pooler_output', 'image_embeds'])
def test_features_of_an_object_with_tokens(pooled):
    network, images = Transformer(pooled, registers=3), torch.randn(2, 3, 8, 8)
    features = teacher_features(ModuleClassifier(network), images, ALL)
    tokens = network(images).last_hidden_state
    assert features['pooled'].equal(tokens.sum(1) if pooled else tokens[:, 0])
    assert features['cls_token'].equal(tokens[:, 0])
    assert features['patch_tokens'].equal(tokens[:, 4:].mean(1))


@pytest.mark.parametrize(
    ('network', 'names', 'message'),
    [
        (
            lambda: vit(num_classes=5),
            ['pooled'],
            'has a classifier of 5 .*; set num_classes=0',
        ),
        (lambda: vit(class_token=False, global_pool='avg'), ['cls_token'], 'has no class token'),
        (lambda: nn.Conv2d(3, 4, 3), ['patch_tokens'], "'patch_tokens' is a feature of tokens"),
        (Dictionary, ['pooled'], 'Dictionary. gives a dict without image_embeds, .*put a module'),
        (lambda: nn.Flatten(0), ['pooled'], r'gives \(6144,\), no feature \(B, D\)'),
    ],
)
def test_what_a_network_does_not_have_is_one_error(network, names, message):
    with pytest.raises(ValueError, match=message):
        feature_sizes(ModuleClassifier(network()), names)


def two_targets(**settings) -> dict:
    """GenDD that learns the class token and the patch tokens, sizes left open."""
    model = small_models.gendd(supervised=False, teacher=ModuleClassifier(vit()), **settings)
    model['architecture']['head'] = None
    distiller = model['distiller']
    loss = distiller['distill_losses']['loss_gendd']
    for size in ('condition_dim', 'target_dim'):
        del loss['head'][size]
    distiller['distill_losses']['loss_patches'] = dict(loss)
    distiller['loss_forward_mappings']['loss_patches'] = dict(
        target=dict(recorder='patch_tokens', from_student=False)
    )
    return dict(model, teacher_classifier=None)


def built(settings: dict) -> nn.Module:
    model = MODELS.build(settings)
    model.init_weights()
    return model


def batch() -> dict:
    data = small_models.batch(labels=False)
    return dict(data, inputs=torch.rand(6, 3, 32, 32) * 255)


def test_each_loss_has_its_own_target_and_reaches_the_backbone():
    model = built(two_targets())
    assert set(model.teacher.model.state_dict()) == set(ModuleClassifier(vit()).state_dict())
    with torch.no_grad():  # the last layers start at zero and let nothing pass
        for parameter in model.distiller.parameters():
            parameter.add_(0.1)
    data = model.data_preprocessor(batch(), True)
    losses = model(data['inputs'], data['data_samples'], mode='loss')
    network = model.teacher.model.network
    tokens = network.forward_features(model.teacher.renormalize(data['inputs']))
    for name, expected in (('target', tokens[:, 0]), ('patch_tokens', tokens[:, 3:].mean(1))):
        assert model.distiller.get_record(name, from_student=False).equal(expected)
    assert set(losses) == {'distill.loss_gendd', 'distill.loss_patches'}
    for loss in losses.values():
        model.zero_grad()
        loss.backward(retain_graph=True)
        assert model.student.backbone.conv.weight.grad.abs().sum() > 0


def test_samples_carry_features_instead_of_scores():
    model = built(two_targets()).eval()
    data = batch()
    (sample, *_) = model.val_step(data)
    inputs = model.data_preprocessor(data, False)['inputs']
    network = model.teacher.model.network
    target = network(model.teacher.renormalize(inputs))[0]
    torch.testing.assert_close(sample.target, target)
    torch.testing.assert_close(sample.feature, model.student.extract_feat(inputs)[-1][0])
    noise = torch.Generator().manual_seed(model.sample_seed)
    with model.distiller.student_recorders:
        model.student(inputs)
    torch.testing.assert_close(sample.generated, model.distiller.generate(1, noise)[0])
    assert sample.generated.shape == (192,)
    assert not model.has_teachers_classes
    with pytest.raises(ValueError, match='has no classifier .* gives no scores'):
        model.teacher.classify(sample.target[None])
    assert not {'pred_score', 'probe_score'} & set(sample.keys())
    assert 'target' not in model.predict(torch.randn(1, 3, 32, 32))[0]


@pytest.mark.parametrize('second', [True, False])
def test_a_compiled_teacher_gives_the_same_features(second):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    settings = two_targets()
    if not second:
        for part in ('distill_losses', 'loss_forward_mappings'):
            del settings['distiller'][part]['loss_patches']
    images = torch.randn(2, 3, 32, 32)
    (expected,) = MODELS.build(settings).teacher.extract_feat(images)
    compiled = MODELS.build(dict(settings, compile=dict(backend=backend)))
    torch.testing.assert_close(compiled.teacher.extract_feat(images)[0], expected)
    compiled_calls = {str(node.target) for graph in graphs for node in graph.graph.nodes}
    assert any('conv2d' in call for call in compiled_calls)


@pytest.mark.fault(
    'Configs',
    'contraction beside a teacher without a classifier',
    'refused before the first step',
)
def test_contraction_needs_a_classifier():
    settings = two_targets()
    settings['distiller']['distill_losses']['loss_gendd']['contraction'] = dict(
        type='DistributionContraction', teacher_label_weight=1.0
    )
    with pytest.raises(ValueError, match='loss_gendd.contraction .*set contraction=None'):
        MODELS.build(settings)


def test_contraction_of_strength_zero_is_none():
    settings = two_targets()
    settings['distiller']['distill_losses']['loss_gendd']['contraction'] = dict(
        type='DistributionContraction', strength=0.0
    )
    MODELS.build(settings)


def test_a_second_loss_states_its_target():
    settings = two_targets()
    del settings['distiller']['loss_forward_mappings']['loss_patches']
    with pytest.raises(ValueError, match=r"\['loss_patches'\] lacks \['target'\]"):
        MODELS.build(settings)


def test_features_of_several_sizes_fill_in_their_own():
    class Projected(Transformer):
        def forward(self, images):
            output = super().forward(images)
            output.image_embeds = output.last_hidden_state[:, 0, :4]
            return output

    model = MODELS.build(dict(two_targets(), teacher=ModuleClassifier(Projected())))
    sizes = [loss.head.target_dim for loss in model.distiller.distill_losses.values()]
    assert sizes == [4, 8]


def test_what_a_second_loss_maps_is_checked_too():
    settings = two_targets()
    losses = settings['distiller']['distill_losses']
    losses['loss_patches'] = dict(
        losses['loss_patches'], head=dict(losses['loss_patches']['head'], condition_dim=7)
    )
    with pytest.raises(ValueError, match='condition_dim=7 does not fit'):
        MODELS.build(settings)
    settings = two_targets()
    settings['distiller']['teacher_recorders'] = dict(
        tokens=dict(type='mmrazor.ModuleOutputs', source='network.norm')
    )
    settings['distiller']['loss_forward_mappings']['loss_patches']['target'] = dict(
        recorder='tokens', from_student=False
    )
    with pytest.raises(
        ValueError, match=r"'loss_patches'\].target is \(2, 7, 192\) .*map a pooled"
    ):
        MODELS.build(settings)


def test_a_recorder_of_the_config_may_have_the_name_of_a_feature():
    """The network itself need not have that feature."""
    settings = two_targets()
    network = vit(class_token=False, global_pool='avg', reg_tokens=0)
    loss = settings['distiller']['distill_losses']['loss_patches']
    loss['head'] = dict(loss['head'], target_dim=192)
    settings['distiller']['teacher_recorders'] = dict(
        cls_token=dict(type='mmrazor.ModuleInputs', source='network.fc_norm')
    )
    settings['distiller']['loss_forward_mappings']['loss_patches']['target'] = dict(
        recorder='cls_token', from_student=False, data_idx=0
    )
    model = built(dict(settings, teacher=ModuleClassifier(network)))
    data = model.data_preprocessor(batch(), True)
    model(data['inputs'], data['data_samples'], mode='loss')
    recorded = model.distiller.get_record('cls_token', from_student=False, data_idx=0)
    assert network.fc_norm(recorded).equal(model.distiller.target())


def test_a_wrong_size_of_a_second_target_is_named():
    settings = two_targets()
    loss = settings['distiller']['distill_losses']['loss_patches']
    loss['head'] = dict(loss['head'], target_dim=64)
    with pytest.raises(ValueError, match=r"target_dim=64 of 'loss_patches' .*; set target_dim=192"):
        MODELS.build(settings)


def test_a_feature_that_may_be_scores_is_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(
        'gendd_mm.models.algorithms.pair_checks.print_log', lambda text, **_: said.append(text)
    )
    settings = two_targets()
    for part in ('distill_losses', 'loss_forward_mappings'):
        del settings['distiller'][part]['loss_patches']
    built(settings)
    assert said == []
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(4, 12))
    built(dict(settings, teacher=ModuleClassifier(network)))
    assert len(said) == 1
    assert "linear layer 'network.3'" in said[0]


def test_a_head_of_unknown_classes_is_refused():
    settings = dict(two_targets(), architecture=small_models.student(False))
    del settings['architecture']['head']['num_classes']
    with pytest.raises(ValueError, match='num_classes of the student is left open.*NoHead'):
        MODELS.build(settings)


def test_a_feature_of_a_teacher_with_a_classifier_is_refused():
    settings = dict(two_targets(), teacher_classifier='auto', teacher=small_models.built_teacher())
    with pytest.raises(ValueError, match="recorder='patch_tokens'.*set teacher_classifier=None"):
        MODELS.build(settings)


def features_run(folder, **evaluator):
    """A run on the digits whose teacher is their transformer without a classifier."""
    cfg = small_models.shrunk('gendd_digits.py', folder)
    base = Config.fromfile(small_models.CONFIGS / '_base_' / 'models' / 'gendd_features.py')
    loss = cfg.model.distiller.distill_losses.loss_gendd
    loss.contraction = None
    loss.head.tokenizer.token_dim = 16
    del loss.head['target_dim']
    cfg.model.distiller.distill_losses.loss_patches = loss.to_dict()
    cfg.model.distiller.loss_forward_mappings.loss_patches = dict(
        target=dict(recorder='patch_tokens', from_student=False)
    )
    cfg.model.distiller.loss_forward_mappings.loss_gendd.pop('labels')
    cfg.model.architecture.pop('head')
    torch.manual_seed(0)
    network = dict(VIT, img_size=8, patch_size=4, embed_dim=16, type='timm.create_model')
    path = str(folder / 'vit.pth')
    torch.save(
        timm.create_model(**{k: v for k, v in network.items() if k != 'type'}).state_dict(), path
    )
    teacher = dict(type='gendd_mm.ModuleClassifier', network=network)
    cfg.model.update(teacher_classifier=base.model.teacher_classifier, teacher_ckpt=path)
    cfg.model.teacher = ConfigDict(teacher)
    cfg.model.distiller.student_recorders = dict()
    cfg.val_evaluator = cfg.test_evaluator = evaluator or base.val_evaluator
    cfg.train_dataloader.drop_last = False
    return cfg


def test_a_run_reports_the_features_of_both(tmp_path):
    runner = small_models.trained(features_run(tmp_path))
    reported = runner.val_loop.run()
    paths = {f'{who}/{path}' for who in ('student', 'teacher') for path in ('knn', 'linear')}
    assert set(reported) == {'gen/cosine', *paths}
    assert -1 <= reported['gen/cosine'] <= 1
    assert all(0 <= reported[path] <= 100 for path in paths)


def test_the_report_describes_such_a_pair(tmp_path):
    cfg = features_run(tmp_path)
    cfg.dump(str(tmp_path / 'run.py'))
    rows = dict(inspect_pair(read_run(str(tmp_path / 'run.py')), batch_size=4))
    for loss, feature in (('gendd', 'pooled'), ('patches', 'patch_tokens')):
        assert rows[f'target of loss_{loss}'].startswith(
            f"the teacher's feature {feature!r}, (4, 16)"
        )
        assert rows[f'condition of loss_{loss}'].startswith("output of 'neck', (4, ")
        assert rows[f'head of loss_{loss}'].startswith('GenerativeHead, ')
    assert rows['target of loss_gendd'] != rows['target of loss_patches']
    assert 'classes' not in rows
    assert rows['gradient'].startswith('reaches all ')


@pytest.mark.fault('Configs', 'a metric of what is not predicted', 'refused before the first step')
@pytest.mark.parametrize('metric', ['gendd_mm.ProbeAccuracy', 'Accuracy'])
def test_a_metric_of_classes_is_refused_before_training(tmp_path, metric):
    with pytest.raises(ValueError, match='gives no classes; take gendd_mm.FeatureQuality'):
        small_models.trained(features_run(tmp_path, type=metric))


def test_a_metric_of_features_needs_a_teacher_without_a_classifier(tmp_path):
    cfg = small_models.shrunk(
        'gendd_digits.py', tmp_path, small_models.digits_teacher(tmp_path / 'teacher.pth')
    )
    cfg.val_evaluator = dict(type='gendd_mm.FeatureQuality')
    with pytest.raises(ValueError, match='FeatureQuality reads features.*take gendd_mm.Probe'):
        small_models.trained(cfg)


def test_a_metric_of_classes_is_refused_before_testing(tmp_path):
    runner = small_models.trained(features_run(tmp_path))
    runner.test_loop.evaluator.metrics = [ProbeAccuracy()]
    with pytest.raises(ValueError, match='gives no classes; take gendd_mm.FeatureQuality'):
        runner.test()


def test_a_trained_probe_is_reported_beside_the_features(tmp_path):
    cfg = features_run(tmp_path)
    cfg.model.architecture.head = dict(
        type='gendd_mm.LinearProbeHead', num_classes=10, loss=dict(type='CrossEntropyLoss')
    )
    cfg.val_evaluator = [cfg.val_evaluator, dict(type='gendd_mm.ProbeAccuracy')]
    reported = small_models.trained(cfg).val_loop.run()
    assert {'gen/cosine', 'student/knn', 'probe/top1'} <= set(reported)
