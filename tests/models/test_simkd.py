"""SimKD: the student's projected features, the teacher's classifier."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from small_models import CONFIGS, digits_teacher, losses_of
from torch import nn

from gendd_mm.models import ConvProjector, SimKDHead

SIZES = dict(num_classes=10, in_channels=5, teacher_dim=4, teacher_ckpt=None)


@pytest.fixture(scope='module')
def teacher_ckpt(tmp_path_factory) -> str:
    return digits_teacher(tmp_path_factory.mktemp('teacher') / 'teacher.pth')


@pytest.fixture(params=['simkd_digits.py', 'simkd_linear_digits.py'])
def model(request, teacher_ckpt):
    """The algorithm of a config, on an untrained teacher."""
    cfg = Config.fromfile(CONFIGS / 'digits' / request.param).model
    cfg.teacher_ckpt = teacher_ckpt
    cfg.architecture.head.teacher_ckpt = teacher_ckpt
    cfg.data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor')
    return MODELS.build(dict(cfg, _scope_='mmpretrain'))


def batch() -> dict:
    """Without labels: none are read."""
    return dict(inputs=torch.randn(4, 3, 8, 8), data_samples=[DataSample() for _ in range(4)])


def test_the_only_loss_is_the_error_of_the_projected_feature(model):
    model.eval()
    data = batch()
    losses = losses_of(model, data)
    assert set(losses) == {'distill.loss_simkd'}
    inputs = data['inputs']
    head, teacher = model.student.head, model.teacher
    stage = 'neck' if model.student.with_neck else 'backbone'
    feature = head.projection(model.student.extract_feat(inputs, stage)[-1])
    target = teacher.extract_feat(inputs, stage)[-1]
    assert feature.shape == target.shape
    torch.testing.assert_close(losses['distill.loss_simkd'], (feature - target).square().mean())


def test_a_step_trains_backbone_and_projector_and_no_more(model):
    model.train()
    losses_of(model, batch())['distill.loss_simkd'].backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    wanted = {
        name
        for name, p in model.named_parameters()
        if name.startswith(('architecture.backbone.', 'architecture.head.projection.'))
    }
    assert trained == wanted


def test_scores_are_those_of_the_teachers_classifier(model):
    model.eval()
    inputs = torch.randn(4, 3, 8, 8)
    scores = model.student(inputs, mode='tensor')
    head = model.student.head
    feature = head.projection(model.student.extract_feat(inputs)[-1])
    if feature.dim() == 4:
        feature = feature.mean((2, 3))
    torch.testing.assert_close(scores, model.teacher.head.fc(feature))


def test_aligned_features_give_the_teachers_scores():
    """The paper's argument: what matches in features matches in classes."""
    head = SimKDHead(**dict(SIZES, in_channels=4), projection=None)
    feature = torch.randn(3, 4)
    assert isinstance(head.projection, nn.Identity)
    assert head((feature,)).equal(head.classifier(feature))


def test_projector_is_the_bottleneck_of_the_paper():
    projector = ConvProjector(5, 12, reduction=3)
    convs = [m for m in projector.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0]) for c in convs] == [
        (5, 4, 1),
        (4, 4, 3),
        (4, 12, 1),
    ]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in projector.modules()) == 3
    out = projector(torch.randn(2, 5, 6, 6))
    assert out.shape == (2, 12, 6, 6)
    assert (out >= 0).all()
    assert (out > 0).any()


def test_a_larger_map_is_averaged_first():
    projector = ConvProjector(5, 4, map_size=3).eval()
    maps = torch.randn(2, 5, 6, 6)
    pooled = maps.unflatten(2, (3, 2)).unflatten(4, (3, 2)).mean((3, 5))
    torch.testing.assert_close(projector(maps), projector(pooled))


def test_what_cannot_work_is_an_error():
    with pytest.raises(ValueError, match='reduction=5 leaves no channel of 4'):
        ConvProjector(3, 4, reduction=5)
    with pytest.raises(ValueError, match=r'\(2, 5\) is no map.*neck'):
        SimKDHead(**SIZES)((torch.randn(2, 5),))


def test_builds_in_other_projects(build):
    head = build(MODELS, type='gendd_mm.SimKDHead', **SIZES)
    assert isinstance(head, SimKDHead)
    assert isinstance(head.projection, ConvProjector)
