"""Training GenerativeHead: precision, memory, compilation, the GPU's queue."""

import pytest
import torch
from small_head import fix_draws, rows_into, small_head
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from gendd_mm.generative import GaussianDiffusion


@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_head_under_autocast_trains_as_in_float32(dtype, noise_sampling):
    head = small_head(noise_sampling=noise_sampling)
    fix_draws(head, 4)
    condition = torch.randn(4, 6, requires_grad=True)
    target = torch.randn(4, 12)

    def loss_and_gradient() -> tuple:
        loss = head.loss(condition, target)
        gradients = torch.autograd.grad(loss, [condition, *head.parameters()])
        return loss.detach(), torch.cat([g.flatten() for g in gradients])

    loss, gradient = loss_and_gradient()
    head.row_chunk = 7
    with torch.autocast('cpu', dtype):
        ours, our_gradient = loss_and_gradient()
    assert ours.dtype == our_gradient.dtype == torch.float32
    torch.testing.assert_close(ours, loss, rtol=0.05, atol=0)
    assert (our_gradient - gradient).norm() < 0.1 * gradient.norm()


@pytest.mark.parametrize('row_chunk', [None, 10])
@pytest.mark.parametrize(('noise_sampling', 'copies'), [('independent', 1), ('antithetic', 2)])
def test_a_loss_takes_one_row_per_image_token_and_repeat(noise_sampling, copies, row_chunk):
    head = small_head(repeats=8, noise_sampling=noise_sampling, row_chunk=row_chunk)
    rows, modulations = (
        rows_into(module) for module in (head.denoiser.input, head.denoiser.modulation)
    )
    head.loss(torch.randn(2, 6), torch.randn(2, 12))
    assert sum(rows) == 2 * 3 * 8
    assert max(rows) <= (row_chunk or 48)
    # Both of a pair are modulated alike.
    assert sum(modulations) == 2 * 3 * 8 / copies


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
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        head.loss(condition, target).backward()
    assert Held.alive == 0
    return Held.peak


def test_memory_does_not_grow_with_repeats():
    chunked = [peak_of_saved_bytes(repeats=repeats, row_chunk=24) for repeats in (8, 80)]
    whole = [peak_of_saved_bytes(repeats=repeats) for repeats in (8, 80)]
    assert chunked[1] == pytest.approx(chunked[0], rel=0.1)
    assert whole[1] > 8 * whole[0]
    assert chunked[1] < whole[1] / 20


@pytest.mark.slow
@pytest.mark.parametrize('row_chunk', [None, 12])
def test_a_compiled_training_step_is_the_same(row_chunk):
    head = small_head(denoiser=dict(type='TokenDenoiser', width=16, depth=1), row_chunk=row_chunk)
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

    for one, other in zip(step(torch.compile(head.loss)), step(head.loss)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def without_values(module: torch.nn.Module, mode: FakeTensorMode) -> None:
    """Give a module tensors that have shapes and nothing to read."""
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = mode.from_tensor(tensor)


@pytest.mark.parametrize('row_chunk', [None, 7])
@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('process', ['GaussianDiffusion', 'RectifiedFlow'])
def test_a_loss_reads_no_value(process, noise_sampling, row_chunk):
    """Reading one waits for the device; here it would be an error."""
    head = small_head(
        process=dict(type=process),
        sampling=dict(type='ddim'),
        noise_sampling=noise_sampling,
        target_scale='auto',
        row_chunk=row_chunk,
    )
    mode = FakeTensorMode()
    without_values(head, mode)
    with mode:
        condition = torch.randn(4, 6, requires_grad=True)
        loss = head.loss(condition, torch.randn(4, 12))
        loss.backward()
        assert condition.grad.shape == (4, 6)
        with pytest.raises(DataDependentOutputException):
            loss.item()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('process', ['GaussianDiffusion', 'RectifiedFlow'])
def test_a_loss_never_waits_for_the_gpu(process, noise_sampling):
    head = small_head(
        process=dict(type=process),
        sampling=dict(type='ddim'),
        noise_sampling=noise_sampling,
        row_chunk=7,
    ).cuda()
    condition = torch.randn(4, 6, device='cuda', requires_grad=True)
    target = torch.randn(4, 12, device='cuda')
    head.loss(condition, target).backward()  # the first one may load kernels
    torch.cuda.set_sync_debug_mode('error')
    try:
        head.loss(condition, target).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_what_a_process_learns_gets_its_gradient_however_the_rows_are_chunked():
    class ScaledLoss(GaussianDiffusion):
        """A process with a parameter of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def loss(self, *arguments) -> Tensor:
            return self.weight * super().loss(*arguments)

    gradients = []
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    head = small_head()
    head.process = ScaledLoss()
    fix_draws(head, 4)
    for head.row_chunk in (None, 7):
        head.zero_grad()
        head.loss(condition, target).backward()
        gradients.append(head.process.weight.grad)
    torch.testing.assert_close(*gradients)
