"""ReusedClassifierHead: the teacher's classifier, whatever happens."""

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from gendd_mm.models import ReusedClassifierHead

NUM_CLASSES, STUDENT_DIM, TEACHER_DIM = 3, 5, 4


@pytest.fixture
def classifier():
    return nn.Linear(TEACHER_DIM, NUM_CLASSES)


@pytest.fixture
def teacher_ckpt(classifier, tmp_path):
    path = tmp_path / 'teacher.pth'
    state = {f'head.fc.{k}': v for k, v in classifier.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return str(path)


def reused(teacher_ckpt, **changes) -> ReusedClassifierHead:
    settings = dict(num_classes=NUM_CLASSES, in_channels=STUDENT_DIM, teacher_dim=TEACHER_DIM)
    return ReusedClassifierHead(teacher_ckpt=teacher_ckpt, **{**settings, **changes})


def test_classifier_is_the_teachers_and_frozen(classifier, teacher_ckpt):
    head = reused(teacher_ckpt)
    assert head.classifier.weight.equal(classifier.weight)
    assert head.classifier.bias.equal(classifier.bias)
    trained = {name for name, p in head.named_parameters() if p.requires_grad}
    assert trained == {'projection.weight', 'projection.bias'}


def test_logits_are_those_of_the_teacher_on_the_projection(classifier, teacher_ckpt):
    head = reused(teacher_ckpt)
    feature = torch.randn(2, STUDENT_DIM)
    assert head((torch.randn(2, 7), feature)).equal(classifier(head.projection(feature)))


def test_equal_sizes_need_no_projection(classifier, teacher_ckpt):
    head = reused(teacher_ckpt, in_channels=TEACHER_DIM)
    assert isinstance(head.projection, nn.Identity)
    feature = torch.randn(2, TEACHER_DIM)
    assert head((feature,)).equal(classifier(feature))


def test_loss_trains_features_and_projection(classifier, teacher_ckpt):
    head = reused(teacher_ckpt)
    feature = torch.randn(2, STUDENT_DIM, requires_grad=True)
    samples = [DataSample().set_gt_label(label) for label in (0, 2)]
    head.loss((feature,), samples)['loss'].backward()
    assert (feature.grad != 0).any()
    assert (head.projection.weight.grad != 0).any()
    assert head.classifier.weight.grad is None


def test_no_init_cfg_replaces_the_classifier(classifier, teacher_ckpt):
    init_cfg = dict(type='Normal', layer='Linear', std=0.01)

    class Model(BaseModule):
        def __init__(self, head, init_cfg=None):
            super().__init__(init_cfg)
            self.head = head

    for model in (
        Model(reused(teacher_ckpt), init_cfg),
        Model(reused(teacher_ckpt, init_cfg=init_cfg)),
    ):
        before = model.head.projection.weight.clone()
        model.init_weights()
        assert model.head.classifier.weight.equal(classifier.weight)
        assert model.head.classifier.bias.equal(classifier.bias)
        assert not model.head.projection.weight.equal(before)


def test_without_a_teacher_it_waits_for_a_warm_up_checkpoint(teacher_ckpt):
    head, loaded = reused(None), reused(teacher_ckpt)
    head.load_state_dict(loaded.state_dict(), strict=True)
    assert not head.classifier.weight.requires_grad
    head.init_weights()
    assert head.classifier.weight.equal(loaded.classifier.weight)


def test_the_classifier_may_have_another_name(classifier, tmp_path):
    path = str(tmp_path / 'teacher.pth')
    torch.save({f'fc.{k}': v for k, v in classifier.state_dict().items()}, path)
    head = reused(path, teacher_classifier='fc')
    assert head.classifier.weight.equal(classifier.weight)


def test_a_checkpoint_that_does_not_fit_is_an_error(teacher_ckpt, tmp_path):
    with pytest.raises(ValueError, match="'fc.weight' is not in .*set teacher_classifier"):
        reused(teacher_ckpt, teacher_classifier='fc')
    with pytest.raises(ValueError, match=r'shape \(3, 4\).*num_classes=7'):
        reused(teacher_ckpt, num_classes=7)
    with pytest.raises(ValueError, match=r'shape \(3, 4\).*teacher_dim=6'):
        reused(teacher_ckpt, teacher_dim=6)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        reused(str(tmp_path / 'none.pth'))


def test_builds_in_other_projects(build):
    head = build(
        MODELS,
        type='gendd_mm.ReusedClassifierHead',
        num_classes=3,
        in_channels=5,
        teacher_dim=4,
        teacher_ckpt=None,
    )
    assert isinstance(head, ReusedClassifierHead)
