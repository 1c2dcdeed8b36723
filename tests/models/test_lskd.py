"""LogitStandardizationLoss: KL of z-scores, by the paper's formulas."""

import math

import pytest
import torch
from mmengine.registry import MODELS
from mmrazor.models.losses import KLDivergence

from gendd_mm.models import LogitStandardizationLoss

BATCH, NUM_CLASSES = 4, 7


@pytest.fixture
def logits():
    """Of student and teacher, float64."""
    return (torch.randn(BATCH, NUM_CLASSES).double(), torch.randn(BATCH, NUM_CLASSES).double())


def z_scores(logits: torch.Tensor) -> torch.Tensor:
    centred = logits - logits.mean(1, keepdim=True)
    return centred / centred.square().mean(1, keepdim=True).sqrt()


@pytest.mark.parametrize(('tau', 'loss_weight'), [(2.0, 9.0), (0.5, 1.0)])
def test_it_is_the_kl_of_z_scores(logits, tau, loss_weight):
    expected = 0.0
    for student, teacher in zip(*(z_scores(each) / tau for each in logits)):
        for p, q in zip(teacher.softmax(0), student.softmax(0)):
            expected += p * math.log(p / q) / BATCH
    torch.testing.assert_close(
        LogitStandardizationLoss(tau, loss_weight)(*logits),
        loss_weight * tau**2 * expected,
        rtol=1e-6,
        atol=0,
    )


def test_on_z_scores_it_is_mmrazors_divergence(logits):
    student, teacher = map(z_scores, logits)
    torch.testing.assert_close(
        LogitStandardizationLoss(3.0, 0.5)(student, teacher),
        KLDivergence(3.0, loss_weight=0.5)(student, teacher),
    )


def test_shift_and_scale_of_a_sample_do_not_matter(logits):
    student, teacher = logits
    shift = torch.randn(2, BATCH, 1).double()
    scale = torch.rand(2, BATCH, 1).double() + 0.5
    loss = LogitStandardizationLoss()
    torch.testing.assert_close(
        loss(scale[0] * student + shift[0], scale[1] * teacher + shift[1]),
        loss(student, teacher),
        rtol=1e-5,
        atol=0,
    )
    similar = loss(5 * teacher - 3, teacher)
    assert similar.abs() < 1e-9


def test_the_teacher_gets_no_gradient(logits):
    student, teacher = (each.requires_grad_() for each in logits)
    LogitStandardizationLoss()(student, teacher).backward()
    assert (student.grad != 0).any()
    assert teacher.grad is None


def test_equal_logits_have_a_finite_gradient(logits):
    student = torch.zeros(BATCH, NUM_CLASSES, requires_grad=True)
    LogitStandardizationLoss()(student, logits[1].float()).backward()
    assert student.grad.isfinite().all()
    assert (student.grad != 0).any()


@pytest.mark.parametrize('tau', [0, -1.0, float('nan')])
def test_a_temperature_that_is_not_positive_is_an_error(tau):
    with pytest.raises(ValueError, match=f'tau={tau} must be positive'):
        LogitStandardizationLoss(tau)


def test_builds_in_other_projects(build):
    loss = build(MODELS, type='gendd_mm.LogitStandardizationLoss')
    assert isinstance(loss, LogitStandardizationLoss)
    assert (loss.tau, loss.loss_weight) == (2, 9)
