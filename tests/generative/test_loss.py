"""GenDDLoss: contraction, then feature mixup, then the generative loss."""

import pytest
import torch
from mmengine.registry import MODELS
from reference_head import randomize
from torch import nn

from gendd_mm.generative import FeatureMixup
from gendd_mm.models import DistributionContraction, GenDDLoss

HEAD = dict(
    type='GenerativeHead',
    condition_dim=6,
    target_dim=4,
    tokenizer=dict(type='SplitTokenizer', token_dim=2),
    denoiser=dict(type='TokenDenoiser', width=8, depth=1),
    repeats=2,
)
CONTRACTION = dict(type='DistributionContraction', strength=0.75)


class Recorder(nn.Module):
    """A head that keeps what it gets and gives a loss of 1."""

    def loss(self, condition, target):
        self.condition, self.target = condition, target
        return torch.ones(())


def recording(**settings) -> GenDDLoss:
    loss = GenDDLoss(HEAD, **settings)
    loss.head = Recorder()
    return loss


@pytest.fixture
def batch():
    """Condition, target, labels, class centres."""
    return (torch.randn(3, 6), torch.randn(3, 4), torch.tensor([2, 0, 1]), torch.randn(5, 4))


def test_unsupervised_it_reads_no_labels(batch):
    condition, target, labels, centers = batch
    loss = recording(feature_mixup=None)
    loss(condition, target, labels + 100, centers)
    assert loss.head.condition is condition
    assert loss.head.target.equal(target)


def test_contraction_comes_before_mixup(batch):
    condition, target, labels, centers = batch
    loss = recording(contraction=CONTRACTION)
    torch.manual_seed(1)
    loss(condition, target, labels, centers)

    contracted = DistributionContraction(0.75)(target, labels, centers)
    torch.manual_seed(1)
    mixed_condition, mixed_target = FeatureMixup()(condition, contracted)
    assert loss.head.condition.equal(mixed_condition)
    assert loss.head.target.equal(mixed_target)


def test_mixup_is_on_by_default_and_only_in_training(batch):
    condition, target, *_ = batch
    loss = recording()
    loss(condition, target)
    assert not loss.head.condition.equal(condition)
    loss.eval()
    loss(condition, target)
    assert loss.head.condition.equal(condition)


def test_teacher_labels_read_the_bias_and_no_labels(batch):
    condition, target, _, centers = batch
    bias = torch.randn(5)
    settings = dict(strength=0.5, teacher_label_weight=1.0)
    loss = recording(
        contraction=dict(type='DistributionContraction', **settings), feature_mixup=None
    )
    loss(condition, target, class_centers=centers, class_bias=bias)
    expected = DistributionContraction(**settings)(target, None, centers, bias)
    assert loss.head.target.equal(expected)


def test_loss_weight_scales_the_loss(batch):
    assert recording(loss_weight=0.25)(*batch[:2]) == 0.25
    assert recording()(*batch[:2]) == 1


def test_gradient_reaches_the_student_and_never_the_teacher(batch):
    condition, target, labels, centers = batch
    for tensor in (condition, target, centers):
        tensor.requires_grad_()
    for contraction in (None, CONTRACTION):
        loss = GenDDLoss(HEAD, contraction)
        randomize(loss.head)
        condition.grad = None
        loss(condition, target, labels, centers).backward()
        assert (condition.grad != 0).any()
        assert target.grad is None
        assert centers.grad is None


def test_missing_labels_are_an_error_of_contraction(batch):
    with pytest.raises(ValueError, match='reads labels, but none'):
        GenDDLoss(HEAD, CONTRACTION)(*batch[:2], class_centers=batch[3])


def test_builds_in_other_projects(build):
    loss = build(MODELS, type='gendd_mm.GenDDLoss', head=HEAD, contraction=CONTRACTION)
    assert isinstance(loss, GenDDLoss)
    assert isinstance(loss.contraction, DistributionContraction)
    assert isinstance(loss.feature_mixup, FeatureMixup)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_teacher_in_half_precision_is_contracted_in_float32(dtype):
    """Half precision would round the small difference that contraction leaves."""
    contraction = DistributionContraction(strength=0.9)
    loss = GenDDLoss(
        head=dict(type='RegressionHead', condition_dim=6, target_dim=64),
        contraction=dict(type='DistributionContraction', strength=0.9),
        feature_mixup=None,
    )
    half, centers = torch.randn(4, 64).to(dtype), torch.randn(10, 64)
    labels = torch.arange(4)
    _, target = loss.prepare(torch.randn(4, 6), half, labels, centers)
    assert target.dtype == torch.float32
    assert target.equal(contraction(half.float(), labels, centers))
