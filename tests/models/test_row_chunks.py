"""Sums forward and backward a chunk at a time, against plain ones."""

import pytest
import torch
from small_head import fix_draws, small_head
from torch import Tensor, nn

from gendd_mm.models.heads.row_chunks import HALF_SCALE, chunked_sum

ROWS = 11


class Problem:
    """Losses of rows of a table, with one parameter that is not used."""

    def __init__(self) -> None:
        self.inputs = torch.randn(4, 3, requires_grad=True)
        self.weight = nn.Parameter(torch.randn(3, 5))
        self.bias = nn.Parameter(torch.randn(5))
        self.unused = nn.Parameter(torch.randn(2))
        self.index = torch.randint(4, (ROWS, ))

    @property
    def parameters(self) -> tuple:
        return self.weight, self.bias, self.unused

    def losses(self, rows: slice, inputs: Tensor) -> Tensor:
        hidden = inputs[self.index[rows]] @ self.weight + self.bias
        return hidden.sin().square().sum(1)

    def sum(self, chunk: int) -> Tensor:
        return chunked_sum(self.losses, ROWS, chunk, self.inputs,
                           self.parameters)

    def gradients(self) -> list:
        return [
            tensor.grad for tensor in (self.inputs, self.weight, self.bias)
        ]

    def clear(self) -> None:
        for tensor in (self.inputs, *self.parameters):
            tensor.grad = None


def close(ours: list, theirs: list, **tolerance) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


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
    torch.testing.assert_close(
        total,
        problem.losses(slice(None), problem.inputs).sum())
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
    gradient, = torch.autograd.grad(
        problem.sum(3).square(), problem.inputs, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()


def test_a_second_backward_of_one_sum_is_an_error(problem):
    total = problem.sum(3)
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match='second time; compute it again'):
        total.backward()


def test_tiny_gradients_survive_a_float16_autocast():
    """Without a scale of their own they would underflow to zero."""
    problem = Problem()
    tiny = 2e-8  # float16 ends at 6e-8

    def losses(rows: slice, inputs: Tensor) -> Tensor:
        return tiny * problem.losses(rows, inputs)

    def gradient(chunk: int) -> Tensor:
        with torch.autocast('cpu', torch.float16):
            total = chunked_sum(losses, ROWS, chunk, problem.inputs,
                                problem.parameters)
        return torch.autograd.grad(total, problem.weight)[0]

    exact, = torch.autograd.grad(
        losses(slice(None), problem.inputs).sum(), problem.weight)
    lost, kept = ((gradient(chunk) - exact).norm() / exact.norm()
                  for chunk in (ROWS, 3))
    assert lost > 0.5
    assert kept < 0.1
    assert HALF_SCALE > 1


@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_head_under_autocast_trains_as_in_float32(dtype, noise_sampling):
    head = small_head(noise_sampling=noise_sampling)
    fix_draws(head, 4)
    condition = torch.randn(4, 6, requires_grad=True)
    target = torch.randn(4, 12)

    def loss_and_gradient() -> tuple:
        loss = head.loss(condition, target)
        gradients = torch.autograd.grad(loss,
                                        [condition, *head.parameters()])
        return loss.detach(), torch.cat([g.flatten() for g in gradients])

    loss, gradient = loss_and_gradient()
    head.row_chunk = 7
    with torch.autocast('cpu', dtype):
        ours, our_gradient = loss_and_gradient()
    assert ours.dtype == our_gradient.dtype == torch.float32
    torch.testing.assert_close(ours, loss, rtol=0.05, atol=0)
    assert (our_gradient - gradient).norm() < 0.1 * gradient.norm()


def test_frozen_parts_of_a_head_stay_so():
    head = small_head(row_chunk=7)
    fix_draws(head, 4)
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    head.loss(condition, target).backward()
    expected = {name: p.grad for name, p in head.named_parameters()}
    head.zero_grad()
    head.denoiser.time_embedding.requires_grad_(False)
    head.loss(condition, target).backward()
    for name, parameter in head.named_parameters():
        if name.startswith('denoiser.time_embedding'):
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name])


class Held:
    """A tensor saved for a backward pass; counts the bytes that are alive."""
    alive = peak = 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        Held.alive += tensor.nbytes
        Held.peak = max(Held.peak, Held.alive)

    def __del__(self) -> None:
        Held.alive -= self.tensor.nbytes


def peak_of_saved_bytes(**settings) -> int:
    head = small_head(**settings)
    condition = torch.randn(4, 6, requires_grad=True)
    target = torch.randn(4, 12)
    Held.alive = Held.peak = 0
    with torch.autograd.graph.saved_tensors_hooks(Held,
                                                  lambda held: held.tensor):
        head.loss(condition, target).backward()
    assert Held.alive == 0
    return Held.peak


def test_memory_does_not_grow_with_repeats():
    chunked = [
        peak_of_saved_bytes(repeats=repeats, row_chunk=24)
        for repeats in (8, 80)
    ]
    whole = [peak_of_saved_bytes(repeats=repeats) for repeats in (8, 80)]
    assert chunked[1] == pytest.approx(chunked[0], rel=0.1)
    assert whole[1] > 8 * whole[0]
    assert chunked[1] < whole[1] / 20


@pytest.mark.slow
@pytest.mark.parametrize('row_chunk', [None, 12])
def test_a_compiled_training_step_is_the_same(row_chunk):
    head = small_head(
        denoiser=dict(type='TokenDenoiser', width=16, depth=1),
        row_chunk=row_chunk)
    fix_draws(head, 4)
    condition = torch.randn(4, 6, requires_grad=True)
    target = torch.randn(4, 12)

    def step(loss) -> list:
        value = loss(condition, target)
        value.backward()
        tensors = [condition, *head.parameters()]
        results = [value.detach(), *(tensor.grad for tensor in tensors)]
        for tensor in tensors:
            tensor.grad = None
        return results

    close(
        step(torch.compile(head.loss)),
        step(head.loss),
        rtol=1e-4,
        atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('process', ['GaussianDiffusion', 'RectifiedFlow'])
def test_a_loss_never_waits_for_the_gpu(process, noise_sampling):
    head = small_head(
        process=dict(type=process),
        sampling=dict(type='ddim'),
        noise_sampling=noise_sampling,
        row_chunk=7).cuda()
    condition = torch.randn(4, 6, device='cuda', requires_grad=True)
    target = torch.randn(4, 12, device='cuda')
    head.loss(condition, target).backward()  # the first one may load kernels
    torch.cuda.set_sync_debug_mode('error')
    try:
        head.loss(condition, target).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
