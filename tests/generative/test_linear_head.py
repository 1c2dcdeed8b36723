"""LinearRegressionHead: the usual regression, in the head's place."""

import pytest
import torch
from mmengine.registry import MODELS
from small_models import STUDENT_DIM, TEACHER_DIM, batch, built_teacher, gendd, losses_of

from gendd_mm.generative import GenDDLoss, LinearRegressionHead


@pytest.mark.parametrize('scale', [1.0, 5.0, 'auto'])
def test_mse_has_its_optimum_at_the_linear_regression(float64, scale):
    """The law of least squares, against torch's own solver."""
    torch.manual_seed(0)
    condition, target = torch.randn(50, 3), 2 + torch.randn(50, 7)
    head = LinearRegressionHead(3, 7, target_scale=scale)
    head.loss(condition, target)  # for 'auto'
    head.eval()
    ones = torch.ones(50, 1)
    solved = torch.linalg.lstsq(torch.cat([condition, ones], 1), target).solution
    solved = solved * head.target_scale.factor
    with torch.no_grad():
        head.layer.weight.copy_(solved[:3].T)
        head.layer.bias.copy_(solved[3])
    head.loss(condition, target).backward()
    assert head.layer.weight.grad.abs().max() < 1e-10
    best = torch.cat([condition, ones], 1) @ solved / head.target_scale.factor
    draws = head.sample(condition, num_draws=2)
    assert draws.shape == (2, 50, 7)
    torch.testing.assert_close(draws, best.expand(2, -1, -1))


def test_cosine_looks_at_directions_alone(float64):
    torch.manual_seed(0)
    head = LinearRegressionHead(3, 7, loss='cosine')
    condition, target = torch.randn(5, 3), torch.randn(5, 7)
    predicted = torch.nn.functional.normalize(head.layer(condition), dim=1)
    expected = 1 - (predicted * torch.nn.functional.normalize(target, dim=1)).sum(1).mean()
    torch.testing.assert_close(head.loss(condition, target), expected)
    torch.testing.assert_close(head.loss(condition, 3 * target), expected)


def test_the_gradient_reaches_the_condition_and_not_the_target():
    condition, target = torch.randn(5, 3, requires_grad=True), torch.randn(5, 7, requires_grad=True)
    GenDDLoss(LinearRegressionHead(3, 7))(condition, target).backward()
    assert condition.grad.abs().max() > 0
    assert target.grad is None


@pytest.mark.parametrize('loss', ['mse', 'cosine'])
@pytest.mark.parametrize('compile', [False, dict(backend='eager')])
def test_it_trains_a_pair(loss, compile):
    model = gendd(teacher=built_teacher(), compile=compile)
    model['distiller']['distill_losses']['loss_gendd']['head'] = dict(
        type='gendd_mm.LinearRegressionHead',
        loss=loss,
        condition_dim=STUDENT_DIM,
        target_dim=TEACHER_DIM,
    )
    model = MODELS.build(model)
    model.init_weights()
    losses = losses_of(model, batch())
    losses['distill.loss_gendd'].backward()
    assert all(p.grad is not None for p in model.student.backbone.parameters())


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="loss='l1' is unknown; choose from"):
        LinearRegressionHead(3, 7, loss='l1')
    with pytest.raises(ValueError, match='num_draws=0 must be at least 1'):
        LinearRegressionHead(3, 7).sample(torch.randn(2, 3), 0)
