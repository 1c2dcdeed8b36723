"""Checkpoints of GenDD's authors give their outputs, their scores and a test."""

import json
import runpy
import sys

import pytest
import small_models
import torch
import torchvision
from mmengine.config import Config
from mmengine.registry import DefaultScope
from published_gendd import PublishedGenDD
from random_weights import randomize
from reference_head import ReferenceHead
from small_models import ROOT
from torch import nn

from gendd_mm.converters import convert_gendd, convert_gendd_weights
from gendd_mm.deploy.features import batches
from gendd_mm.engine.model import build_model

NUM_CLASSES, TEACHER_DIM, TOKEN_DIM, WIDTH, DEPTH = 10, 256, 32, 16, 2
STUDENTS = dict(
    resnet18=(dict(type='ResNet', depth=18), 512),
    mobilenet=(dict(type='TIMMBackbone', model_name='mobilenetv1_100', act_layer='relu'), 1024),
)


def config(folder, student: str = 'resnet18') -> Config:
    """The digits with another student and a small head."""
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'work', teacher)
    backbone, size = STUDENTS[student]
    cfg.model.architecture.backbone = dict(backbone)
    cfg.model.architecture.head.update(in_channels=size, standardize=False)
    cfg.model.distiller.connectors.condition.normalized_shape = size
    head = small_models.head_of(cfg)
    head.condition_dim = size
    head.denoiser.update(width=WIDTH, depth=DEPTH)
    cfg.dump(str(folder / 'run.py'))
    return Config.fromfile(folder / 'run.py')


def published(cfg: Config, student: str = 'resnet18', embedding: bool = False) -> PublishedGenDD:
    """The authors' side of the same pair, with random weights."""
    if student == 'resnet18':
        network = torchvision.models.resnet18(num_classes=NUM_CLASSES)
    else:
        timm = pytest.importorskip('timm')
        network = timm.create_model('mobilenetv1_100', num_classes=NUM_CLASSES, act_layer=nn.ReLU)
    teacher = torch.load(cfg.model.teacher_ckpt, weights_only=True)['state_dict']
    classifier = nn.Linear(TEACHER_DIM, NUM_CLASSES)
    model = PublishedGenDD(
        network, classifier, STUDENTS[student][1], TOKEN_DIM, WIDTH, DEPTH, embedding
    )
    randomize(model.state_dict())
    classifier.weight.data.copy_(teacher['head.fc.weight'])
    classifier.bias.data.copy_(teacher['head.fc.bias'])
    return model.eval()


@pytest.fixture(scope='module')
def cfg(tmp_path_factory) -> Config:
    return config(tmp_path_factory.mktemp('run'))


@pytest.mark.parametrize(
    ('student', 'embedding'), [('resnet18', False), ('resnet18', True), ('mobilenet', False)]
)
def test_outputs_are_those_of_the_authors_network(student, embedding, tmp_path):
    cfg = config(tmp_path, student)
    theirs = published(cfg, student, embedding)
    ours = build_model(cfg)
    convert_gendd_weights(theirs.checkpoint()['state_dict'], ours)
    ours.eval()
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        scores = theirs.model(images)
        torch.testing.assert_close(ours(images), scores, rtol=1e-4, atol=1e-4)
        # The condition, and every row of the denoiser.
        distiller = ours.distiller
        with distiller.student_recorders:
            ours.student(images, mode='tensor')
        mapping = distiller.loss_forward_mappings['loss_gendd']['condition']
        condition = distiller.get_record(**mapping)
        feature = distiller.get_record(**{**mapping, 'connector': None})
        torch.testing.assert_close(condition, theirs.cls_projector(feature), rtol=1e-5, atol=1e-5)
        rows = (
            torch.randn(24, TOKEN_DIM),
            torch.randint(1000, (24,)),
            condition.repeat_interleave(8, 0),
            torch.arange(8).repeat(3),
        )
        output = distiller.gendd_loss.head.denoiser(*rows)
        expected = theirs.diffloss.net(*rows)
    assert expected.std() > 0.1
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


def test_samples_are_those_of_the_authors_network(cfg):
    """Their network in the reference's sampler, from the same noise."""
    theirs, ours = published(cfg), build_model(cfg)
    convert_gendd_weights(theirs.checkpoint()['state_dict'], ours)
    ours.eval()
    head = ours.distiller.gendd_loss.head
    reference = ReferenceHead.like(head).float()
    reference.denoiser = theirs.diffloss.net
    # What the reference asks for the precision.
    theirs.diffloss.net.out = theirs.diffloss.net.final_layer.linear
    condition = torch.randn(2, 512)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        sample = head.sample(condition, 1, generator)
        generator.manual_seed(0)
        shape = (2 * 8, TOKEN_DIM)
        noise = [torch.randn(shape, generator=generator) for _ in range(3)]
        expected = reference.sample(condition, noise, 3, 900, 2.0)
    assert expected.std() > 0.1
    torch.testing.assert_close(sample, expected, rtol=1e-3, atol=1e-3)


def test_the_tool_writes_what_the_test_tool_reads(cfg, tmp_path, monkeypatch):
    theirs = published(cfg)
    torch.save(theirs.checkpoint(), tmp_path / 'theirs.pth')
    converted, result = tmp_path / 'new' / 'ours.pth', tmp_path / 'metrics.json'

    def run(tool: str, *arguments) -> None:
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')

    run(
        'model_converters/gendd_authors_to_gendd_mm.py',
        cfg.filename,
        tmp_path / 'theirs.pth',
        converted,
    )
    # A whole checkpoint of a run: as much as GenDD saves, and no teacher.
    written = torch.load(converted, weights_only=True)['state_dict']
    assert written.keys() == build_model(cfg).state_dict().keys()
    monkeypatch.setenv('LOCAL_RANK', '0')
    with small_models.quickly():
        run(
            'test.py',
            cfg.filename,
            converted,
            *('--work-dir', tmp_path / 'test', '--out', result, '--out-item', 'metrics'),
        )
    metrics = json.loads(result.read_text())
    assert 'gen/top1' in metrics
    # Their student, on the same images.
    right = []
    preprocess = build_model(cfg).data_preprocessor
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.no_grad():
        for data in batches(cfg.test_dataloader.dataset.to_dict(), preprocess):
            labels = torch.cat([sample.gt_label for sample in data['data_samples']])
            right.append(theirs.model(data['inputs']).argmax(1) == labels)
    accuracy = 100 * torch.cat(right).float().mean().item()
    assert metrics['probe/top1'] == pytest.approx(accuracy, abs=1e-4)


def test_counters_of_old_versions_of_torch_may_be_missing(cfg):
    weights = published(cfg).checkpoint()['state_dict']
    old = {key: value for key, value in weights.items() if 'num_batches_tracked' not in key}
    assert len(old) < len(weights)
    converted = convert_gendd_weights(old, build_model(cfg))
    assert 'architecture.backbone.bn1.num_batches_tracked' in converted


def renamed(weights: dict) -> None:
    weights['module.diffloss.net.time_embedding.0.bias'] = weights.pop(
        'module.diffloss.net.time_embed.mlp.0.bias'
    )


def without_a_layer(weights: dict) -> None:
    del weights['module.cls_projector.0.bias']


def of_another_width(weights: dict) -> None:
    weights['module.diffloss.net.pos_embed'] = torch.zeros(2, 8, WIDTH)


def of_another_teacher(weights: dict) -> None:
    weights['module.classifier.bias'] = torch.ones(NUM_CLASSES)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (renamed, r'1 of \d+ keys .*diffloss.net.time_embedding.0.bias.*same student'),
        (without_a_layer, r"missing keys \['distiller.connectors.condition.bias'\]"),
        (of_another_width, r'token_embedding.weight \(2, 8, 16\) instead of \(8, 16\)'),
        (of_another_teacher, 'classifier.bias is not that of .* set model.teacher_ckpt'),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(spoil, message, cfg, tmp_path):
    checkpoint = published(cfg).checkpoint()
    spoil(checkpoint['state_dict'])
    torch.save(checkpoint, tmp_path / 'theirs.pth')
    with pytest.raises(ValueError, match=rf'theirs.pth.*{message}'):
        convert_gendd(str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth'), cfg)
    assert not (tmp_path / 'ours.pth').exists()


def test_other_students_and_algorithms_are_refused(tmp_path):
    with pytest.raises(ValueError, match='names of a SmallBackbone are not known.*ResNet'):
        convert_gendd_weights({}, small_models.built())
    with pytest.raises(ValueError, match='the config builds ImageClassifier; give'):
        convert_gendd_weights({}, small_models.built_teacher())
