"""DistributionContraction: its gradient, its labels, its errors."""

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.models import DistributionContraction

TARGET_DIM, NUM_CLASSES = 5, 4


@pytest.fixture
def batch():
    """Teacher features, hard labels and class centres, float64."""
    return (
        torch.randn(3, TARGET_DIM).double(),
        torch.tensor([0, 3, 1]),
        torch.randn(NUM_CLASSES, TARGET_DIM).double(),
    )


def one_hot(labels):
    return torch.eye(NUM_CLASSES).double()[labels]


@pytest.mark.parametrize('strength', [0.25, 0.9])
def test_gradient_is_that_of_the_two_tasks(batch, strength):
    """grad ||g - u||^2 is distillation plus a pull along the centre."""
    target, labels, centers = batch
    generated = torch.randn(3, TARGET_DIM).double().requires_grad_()
    contracted = DistributionContraction(strength)(target, labels, centers)

    def gradient(error):
        return torch.autograd.grad(error.square().sum(), generated)[0]

    two_tasks = (1 - strength) * gradient(generated - target) + strength * gradient(
        generated - centers[labels]
    )
    torch.testing.assert_close(gradient(generated - contracted), two_tasks, rtol=1e-14, atol=1e-14)


def test_hard_labels_are_one_hot_distributions(batch):
    target, labels, centers = batch
    contraction = DistributionContraction(0.7)
    assert contraction(target, labels, centers).equal(contraction(target, one_hot(labels), centers))


def test_mixed_labels_pull_to_the_mixed_centre(batch):
    target, labels, centers = batch
    mixed = 0.3 * one_hot(labels) + 0.7 * one_hot(labels.flip(0))
    center = 0.3 * centers[labels] + 0.7 * centers[labels.flip(0)]
    torch.testing.assert_close(
        DistributionContraction(0.6)(target, mixed, centers), 0.4 * target + 0.6 * center
    )


def test_strength_0_leaves_the_target_and_reads_no_labels(batch):
    target, labels, centers = batch
    contraction = DistributionContraction(0)
    assert not contraction.needs_labels
    assert contraction(target).equal(target)
    assert contraction(target, labels + 100, centers).equal(target)


def test_strength_1_gives_the_centres(batch):
    target, labels, centers = batch
    contracted = DistributionContraction(1)(target, labels, centers)
    assert contracted.equal(centers[labels])


@pytest.mark.parametrize('bias', [None, torch.randn(NUM_CLASSES).double()])
def test_the_teachers_opinion_needs_no_labels(batch, bias):
    target, _, centers = batch
    contraction = DistributionContraction(0.9, teacher_label_weight=1)
    assert not contraction.needs_labels
    logits = target @ centers.T + (0 if bias is None else bias)
    expected = 0.1 * target + 0.9 * logits.softmax(1) @ centers
    torch.testing.assert_close(contraction(target, None, centers, bias), expected)


def test_labels_and_opinion_are_mixed(batch):
    target, labels, centers = batch
    bias = torch.randn(NUM_CLASSES).double()
    contraction = DistributionContraction(0.9, teacher_label_weight=0.2)
    assert contraction.needs_labels
    opinion = (target @ centers.T + bias).softmax(1)
    label = 0.8 * one_hot(labels) + 0.2 * opinion
    torch.testing.assert_close(
        contraction(target, labels, centers, bias), 0.1 * target + 0.9 * label @ centers
    )


@pytest.mark.parametrize(('strength', 'weight'), [(0, 0), (0.9, 0), (0.9, 0.5)])
def test_no_gradient_goes_through(batch, strength, weight):
    target, labels, centers = batch
    target.requires_grad_()
    centers.requires_grad_()
    contraction = DistributionContraction(strength, weight)
    assert not contraction(target, labels, centers).requires_grad


def test_half_precision_targets_keep_their_precision(batch):
    target, labels, centers = batch
    contracted = DistributionContraction(0.9)(target.half(), labels, centers.float())
    assert contracted.dtype == torch.float16


@pytest.mark.parametrize('wrong', [-1, NUM_CLASSES])
def test_a_label_outside_the_classes_is_an_error(batch, wrong):
    target, labels, centers = batch
    labels[1] = wrong
    with pytest.raises(ValueError, match=rf'label {wrong} .*\[0, 4\)'):
        DistributionContraction()(target, labels, centers)


def test_soft_labels_over_other_classes_are_an_error(batch):
    target, _, centers = batch
    with pytest.raises(ValueError, match='over 7 classes .* 4 classes'):
        DistributionContraction()(target, torch.ones(3, 7) / 7, centers)


@pytest.mark.parametrize('labels', [torch.tensor([1]), torch.ones(1, 4) / 4])
def test_another_number_of_labels_is_an_error(batch, labels):
    target, _, centers = batch
    with pytest.raises(ValueError, match='1 labels do not fit 3 teacher'):
        DistributionContraction()(target, labels, centers)


def test_centres_of_another_size_are_an_error(batch):
    target, labels, _centers = batch
    with pytest.raises(ValueError, match='size 6 .* size 5.*last linear'):
        DistributionContraction()(target, labels, torch.randn(4, 6))


def test_missing_labels_and_centres_are_errors(batch):
    target, labels, centers = batch
    with pytest.raises(ValueError, match='strength=0.9 .*labels.*strength=0'):
        DistributionContraction()(target, None, centers)
    with pytest.raises(ValueError, match='strength=0.9 needs class_centers'):
        DistributionContraction()(target, labels)


@pytest.mark.parametrize('name', ['strength', 'teacher_label_weight'])
@pytest.mark.parametrize('value', [-0.1, 1.5])
def test_weights_outside_0_to_1_are_errors(name, value):
    with pytest.raises(ValueError, match=rf'{name}={value} .*\[0, 1\]'):
        DistributionContraction(**{name: value})


def test_builds_in_other_projects(build):
    contraction = build(MODELS, type='gendd_mm.DistributionContraction')
    assert isinstance(contraction, DistributionContraction)
    assert contraction.strength == 0.9


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_contraction_is_in_full_precision_under_autocast(share):
    contract = DistributionContraction(teacher_label_weight=share)
    arguments = (torch.randn(4, 6), torch.arange(4), torch.randn(5, 6), torch.randn(5))
    expected = contract(*arguments)
    with torch.autocast('cpu', torch.bfloat16):
        assert contract(*arguments).equal(expected)
