"""The centres of contraction: classifier rows and feature means."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from gendd_mm.generative import ClassifierCenters, FeatureMeanCenters
from gendd_mm.models import DistributionContraction

TARGET_DIM, NUM_CLASSES = 5, 4
FEATURE_MEAN = dict(type='FeatureMeanCenters', num_classes=NUM_CLASSES, feature_dim=TARGET_DIM)
SCALED_ROWS = dict(type='ClassifierCenters', scale='feature_norm')
BOTH = pytest.mark.parametrize('centers', [FEATURE_MEAN, SCALED_ROWS])


@pytest.fixture
def batch():
    """Teacher features, hard labels (none of class 2) and rows, float64."""
    target = torch.randn(6, TARGET_DIM).double()
    rows = torch.randn(NUM_CLASSES, TARGET_DIM).double()
    return target, torch.tensor([0, 3, 1, 0, 0, 1]), rows


def one_hot(labels):
    return torch.eye(NUM_CLASSES).double()[labels]


@BOTH
def test_gradient_is_that_of_the_two_tasks(batch, centers):
    """grad ||g - u||^2 with the centres that were pulled to."""
    target, labels, rows = batch
    strength = 0.8
    contraction = DistributionContraction(strength, centers=centers)
    generated = torch.randn(6, TARGET_DIM).double().requires_grad_()
    contracted = contraction(target, labels, rows)
    pulled_to = contraction.eval().centers(target, one_hot(labels), rows)
    assert not pulled_to.equal(rows)

    def gradient(error):
        return torch.autograd.grad(error.square().sum(), generated)[0]

    two_tasks = (1 - strength) * gradient(generated - target) + strength * gradient(
        generated - pulled_to[labels]
    )
    torch.testing.assert_close(gradient(generated - contracted), two_tasks, rtol=1e-12, atol=1e-12)


def test_feature_means_are_the_means_of_the_classes(batch):
    target, labels, rows = batch
    found = FeatureMeanCenters(NUM_CLASSES, TARGET_DIM)(target, one_hot(labels), rows)
    for label in (0, 1, 3):
        torch.testing.assert_close(
            found[label], target[labels == label].mean(0), rtol=1e-6, atol=1e-6
        )
    assert found[2].equal(rows[2])  # not seen yet


def test_soft_labels_weigh_the_means(batch):
    target, _, rows = batch
    shares = torch.rand(6, NUM_CLASSES).double()
    found = FeatureMeanCenters(NUM_CLASSES, TARGET_DIM)(target, shares, rows)
    expected = (shares.T @ target) / shares.sum(0)[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_rows_are_scaled_to_the_norm_of_features(batch):
    target, labels, rows = batch
    centers = ClassifierCenters('feature_norm')
    for scale in (30, 10):
        found = centers(scale * target, one_hot(labels), rows)
    norm = 20 * target.norm(dim=1).mean()
    torch.testing.assert_close(found.norm(dim=1).mean(), norm, rtol=2e-3, atol=0)
    torch.testing.assert_close(
        torch.nn.functional.normalize(found), torch.nn.functional.normalize(rows)
    )


def test_rows_may_have_a_fixed_factor(batch):
    target, labels, rows = batch
    arguments = (target, one_hot(labels), rows)
    assert ClassifierCenters()(*arguments) is rows
    assert ClassifierCenters(0.25)(*arguments).equal(0.25 * rows)
    assert not ClassifierCenters(0.25).state_dict()


@BOTH
def test_evaluation_leaves_them_alone(batch, centers):
    target, labels, rows = batch
    module = DistributionContraction(centers=centers).centers
    fresh = module.eval()(target, one_hot(labels), rows)
    assert fresh.equal(rows)  # nothing was seen
    trained = module.train()(target, one_hot(labels), rows)
    before = copy.deepcopy(module.state_dict())
    module.eval()(target + 3, one_hot(labels), rows)
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    assert module(target, one_hot(labels), rows).equal(trained)


@BOTH
def test_a_resumed_run_has_them(batch, centers):
    target, labels, rows = batch
    contraction = DistributionContraction(centers=centers)
    contraction(target, labels, rows)
    again = DistributionContraction(centers=centers)
    again.load_state_dict(contraction.state_dict())
    arguments = (2 * target, labels, rows)
    assert contraction(*arguments).equal(again(*arguments))


def test_strength_0_sees_nothing(batch):
    target, labels, rows = batch
    contraction = DistributionContraction(0.0, centers=FEATURE_MEAN)
    contraction(target, labels, rows)
    assert not contraction.centers.means.seen.any()


def test_the_teachers_opinion_is_that_of_its_rows(batch):
    target, _, rows = batch
    contraction = DistributionContraction(1.0, teacher_label_weight=1, centers=FEATURE_MEAN)
    opinion = (target @ rows.T).softmax(1)
    means = (opinion.T @ target) / opinion.sum(0)[:, None]
    torch.testing.assert_close(
        contraction(target, class_centers=rows), opinion @ means, rtol=1e-5, atol=1e-5
    )


def test_sizes_that_are_not_the_teachers_are_an_error(batch):
    target, labels, rows = batch
    with pytest.raises(ValueError, match=r'\(3, 5\) do not fit .*\(4, 5\)'):
        FeatureMeanCenters(3, 5)(target, one_hot(labels), rows)


@pytest.mark.parametrize('scale', [0, -1.0, float('nan'), 'norm'])
def test_what_is_no_scale_is_an_error(scale):
    with pytest.raises(ValueError, match=f'scale={scale!r} must be .*positive'):
        ClassifierCenters(scale)


@pytest.mark.parametrize(
    ('config', 'kind'),
    [
        (dict(FEATURE_MEAN), FeatureMeanCenters),
        (dict(SCALED_ROWS), ClassifierCenters),
    ],
)
def test_builds_in_other_projects(build, config, kind):
    config['type'] = 'gendd_mm.' + config['type']
    assert isinstance(build(MODELS, **config), kind)
