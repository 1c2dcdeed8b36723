"""Sums forward and backward a chunk at a time, against plain ones."""

import pytest
import torch
from torch import Tensor, nn

from gendd_mm.generative.chunked_sum import FLOAT16_LOSS_SCALE, chunked_sum

ROWS = 11


class Problem(nn.Module):
    """Losses of rows of a table, with one parameter that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = torch.randn(4, 3, requires_grad=True)
        self.weight = nn.Parameter(torch.randn(3, 5))
        self.bias = nn.Parameter(torch.randn(5))
        self.unused = nn.Parameter(torch.randn(2))
        self.index = torch.randint(4, (ROWS,))

    def losses(self, rows: slice, inputs: Tensor) -> Tensor:
        hidden = inputs[self.index[rows]] @ self.weight + self.bias
        return hidden.sin().square().sum(1)

    def sum(self, chunk: int) -> Tensor:
        return chunked_sum(self.losses, ROWS, chunk, self.inputs, self)

    def gradients(self) -> list:
        return [tensor.grad for tensor in (self.inputs, self.weight, self.bias)]

    def clear(self) -> None:
        for tensor in (self.inputs, *self.parameters()):
            tensor.grad = None


def close(ours: list, theirs: list) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.fixture
def problem(float64):
    return Problem()


@pytest.fixture
def expected(problem):
    """Gradients of the plain sum."""
    problem.losses(slice(None), problem.inputs).sum().backward()
    gradients = problem.gradients()
    problem.clear()
    return gradients


@pytest.mark.parametrize('chunk', [1, 2, 5, ROWS - 1, ROWS, ROWS + 1])
def test_sum_and_gradients_equal_the_plain_ones(problem, expected, chunk):
    total = problem.sum(chunk)
    torch.testing.assert_close(total, problem.losses(slice(None), problem.inputs).sum())
    total.backward()
    close(problem.gradients(), expected)
    assert problem.unused.grad is None


@pytest.mark.parametrize('chunk', [3, ROWS])
def test_gradients_scale_with_the_loss(problem, expected, chunk):
    """As a GradScaler asks for."""
    (1024 * problem.sum(chunk)).backward()
    close([gradient / 1024 for gradient in problem.gradients()], expected)


@pytest.mark.parametrize('chunk', [3, ROWS])
def test_gradients_accumulate(problem, expected, chunk):
    for _ in range(3):
        problem.sum(chunk).backward()
    close(problem.gradients(), [3 * gradient for gradient in expected])


def test_gradients_that_share_memory_are_kept_apart(float64):
    """Autograd hands one and the same to both terms of a sum, or a view."""
    terms = nn.ParameterDict(dict(one=torch.randn(3), other=torch.randn(3), scalar=torch.randn(1)))
    rows = torch.randn(ROWS, 3)

    def losses(part: slice, inputs: Tensor) -> Tensor:
        return ((terms.one + terms.other + inputs) * rows[part]).sum(1) + terms.scalar.sum()

    inputs = torch.zeros(3, requires_grad=True)
    chunked_sum(losses, ROWS, 2, inputs, terms).backward()
    for tensor in (terms.one, terms.other, inputs):
        torch.testing.assert_close(tensor.grad, rows.sum(0))
    assert terms.scalar.grad.item() == pytest.approx(ROWS)


def test_hooks_of_parameters_see_the_gradient_of_the_sum_alone(problem, expected):
    seen = []
    problem.weight.register_hook(seen.append)
    problem.sum(3).backward()
    close(seen, expected[1:2])


def test_the_parameters_are_in_place_again_after_an_error(problem):
    def losses(rows: slice, inputs: Tensor) -> Tensor:
        if rows.start:
            raise FloatingPointError
        return problem.losses(rows, inputs)

    weight = problem.weight
    with pytest.raises(FloatingPointError):
        chunked_sum(losses, ROWS, 3, problem.inputs, problem)
    assert problem.weight is weight
    assert weight.grad is None


@pytest.mark.parametrize('chunk', [3, ROWS])
def test_what_is_frozen_gets_no_gradient(problem, expected, chunk):
    problem.weight.requires_grad_(False)
    problem.sum(chunk).backward()
    assert problem.weight.grad is None
    close([problem.inputs.grad, problem.bias.grad], expected[::2])


@pytest.mark.parametrize('chunk', [3, ROWS])
def test_inputs_without_gradient_are_taken(problem, expected, chunk):
    problem.inputs.requires_grad_(False)
    problem.sum(chunk).backward()
    assert problem.inputs.grad is None
    close([problem.weight.grad, problem.bias.grad], expected[1:])


@pytest.mark.parametrize('chunk', [3, ROWS])
def test_without_gradients_only_the_sum_is_computed(problem, chunk):
    plain = problem.losses(slice(None), problem.inputs).sum()
    with torch.no_grad():
        total = problem.sum(chunk)
    assert not total.requires_grad
    torch.testing.assert_close(total, plain.detach())


def test_a_second_derivative_is_an_error(problem):
    (gradient,) = torch.autograd.grad(problem.sum(3).square(), problem.inputs, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()


def test_a_second_backward_of_one_sum_is_an_error(problem):
    total = problem.sum(3)
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match='twice on one generative loss'):
        total.backward()


def test_tiny_gradients_survive_a_float16_autocast():
    """Without a scale of their own they would underflow to zero."""
    problem = Problem()
    tiny = 2e-8  # float16 ends at 6e-8

    def losses(rows: slice, inputs: Tensor) -> Tensor:
        return tiny * problem.losses(rows, inputs)

    def gradient(chunk: int) -> Tensor:
        with torch.autocast('cpu', torch.float16):
            total = chunked_sum(losses, ROWS, chunk, problem.inputs, problem)
        return torch.autograd.grad(total, problem.weight)[0]

    (exact,) = torch.autograd.grad(losses(slice(None), problem.inputs).sum(), problem.weight)
    lost, kept = ((gradient(chunk) - exact).norm() / exact.norm() for chunk in (ROWS, 3))
    assert lost > 0.5
    assert kept < 0.1
    assert FLOAT16_LOSS_SCALE > 1


def test_the_backward_pass_of_a_chunk_is_outside_of_autocast():
    module, inputs = torch.nn.Linear(3, 1), torch.randn(4, 3)
    seen = []

    def losses(rows: slice, inputs: Tensor) -> Tensor:
        assert torch.is_autocast_enabled('cpu')
        row_losses = module(inputs[rows]).float().square().mean(-1)
        row_losses.register_hook(lambda _: seen.append(torch.is_autocast_enabled('cpu')))
        return row_losses

    with torch.autocast('cpu', torch.bfloat16):
        chunked_sum(losses, 4, 2, inputs, module)
    assert seen == [False, False]
