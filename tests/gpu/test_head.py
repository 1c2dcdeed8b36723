"""The head and its loss on a device: the numbers, the memory, the queue."""

import copy
import subprocess
import sys
from pathlib import Path

import plain_head
import pytest
import torch
from plain_head import Trained, batch, draw_on_cpu
from torch import Tensor, nn

from gendd_mm.generative import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    GaussianDiffusion,
    GenerativeHead,
    MidpointSampler,
    RectifiedFlow,
)

ROOT = Path(__file__).resolve().parents[2]


def loss_and_gradients(head: GenerativeHead, condition: Tensor, target: Tensor) -> list[Tensor]:
    """On the CPU, in float64."""
    draw_on_cpu(head)
    condition = condition.detach().requires_grad_()
    loss = head.loss(condition, target)
    gradients = torch.autograd.grad(loss, [condition, *head.parameters()])
    return [tensor.double().cpu() for tensor in (loss.detach(), *gradients)]


@pytest.mark.parametrize('row_chunk', [None, 7])
@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize('process', [GaussianDiffusion, RectifiedFlow])
def test_loss_and_gradients_are_those_of_the_cpu_in_float64(
    device, process, noise_sampling, row_chunk
):
    head = plain_head.plain_head(
        process=process(),
        sampler=DDIMSampler(),
        noise_sampling=noise_sampling,
        row_chunk=row_chunk,
    )
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    exact = copy.deepcopy(head).double()
    expected = loss_and_gradients(exact, condition.double(), target.double())
    ours = loss_and_gradients(head.to(device), condition.to(device), target.to(device))
    for one, other in zip(ours, expected, strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm() + 1e-6


@pytest.mark.parametrize(
    'sampler', [AncestralSampler(6), DDIMSampler(), DPMSolverPPSampler(), MidpointSampler()]
)
def test_samples_are_those_of_the_cpu_in_float64(device, sampler, monkeypatch):
    head = plain_head.plain_head(sampler=sampler)
    condition = torch.randn(4, 6)
    randn = torch.randn

    def sample(head: GenerativeHead, condition: Tensor) -> Tensor:
        seeded = torch.Generator().manual_seed(0)

        def drawn(*shape, dtype, device, generator) -> Tensor:
            shape = shape[0] if len(shape) == 1 else shape
            return randn(shape, dtype=torch.float64, generator=seeded).to(device, dtype)

        monkeypatch.setattr(torch, 'randn', drawn)
        return head.sample(condition, 3).double().cpu()

    expected = sample(copy.deepcopy(head).double(), condition.double())
    ours = sample(head.to(device), condition.to(device))
    assert (ours - expected).norm() <= 1e-3 * expected.norm()


def test_any_chunk_of_rows_gives_the_same(device):
    results = []
    head = plain_head.plain_head().to(device)
    draw = head.training_noise
    condition, target = (torch.randn(4, dim, device=device) for dim in (6, 12))
    for head.row_chunk in (None, 1, 7, 24, 1000):
        head.training_noise = draw
        results.append(loss_and_gradients(head, condition, target))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('row_chunk', [None, 10])
@pytest.mark.parametrize('optimizer', [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_never_waits(device, no_waiting, optimizer, row_chunk):
    model = Trained(row_chunk=row_chunk).to(device)
    wrapped = optimizer(model.parameters(), lr=0.01)
    inputs = batch(device)
    before = [parameter.detach().clone() for parameter in model.parameters()]

    def step() -> None:
        model(*inputs).backward()
        wrapped.step()
        wrapped.zero_grad(set_to_none=True)

    step()  # the first one loads kernels
    with no_waiting():
        step()
    moved = [not p.equal(b) for p, b in zip(model.parameters(), before, strict=True)]
    assert sum(moved) > len(moved) / 2


def test_pinned_batches_are_copied_without_waiting(device, no_waiting):
    model, expected = Trained(feature_mixup=False).to(device), batch(device)
    draw_on_cpu(model.gendd.head)
    near = batch(torch.device('cpu'))
    if device.type == 'cuda':
        near = tuple(tensor.pin_memory() for tensor in near)
        assert all(tensor.is_pinned() for tensor in near)
        torch.cuda.synchronize()
    with no_waiting():
        copies = [tensor.to(device, non_blocking=True) for tensor in near]
    for copied, tensor in zip(copies, expected, strict=True):
        assert copied.equal(tensor)
    assert model(*copies).isfinite()


@pytest.mark.parametrize('row_chunk', [None, 24])
def test_a_compiled_step_is_the_same(device, row_chunk):
    model = Trained(feature_mixup=False, row_chunk=row_chunk).to(device)
    other, inputs = copy.deepcopy(model), batch(device)
    # As GenDD(compile=True) does; on the CPU without kernels.
    backend = 'inductor' if device.type == 'cuda' else 'aot_eager'
    denoiser = other.gendd.head.denoiser
    for module in (denoiser.modulation, *denoiser.blocks):
        module.compile(backend=backend)
    for either in (model, other):
        draw_on_cpu(either.gendd.head)
        either(*inputs).backward()
    for one, same in zip(other.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, same.grad, rtol=1e-3, atol=1e-5)


def test_loss_and_samples_are_one_graph_each(device):
    """``fullgraph`` makes a break in the graph an error."""
    head = plain_head.plain_head().to(device)
    condition, target = (torch.randn(4, dim, device=device) for dim in (6, 12))
    for method, arguments in ((head.loss, (condition, target)), (head.sample, (condition, 2))):
        results = []
        for call in (method, torch.compile(method, fullgraph=True, backend='eager')):
            torch.manual_seed(0)
            results.append(call(*arguments))
        torch.testing.assert_close(*results)


def test_channels_last_changes_no_gradient(device):
    student = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head, student = plain_head.plain_head().to(device), student.to(device)
    images, target = torch.randn(4, 3, 8, 8, device=device), torch.randn(4, 12, device=device)
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        student.to(memory_format=layout)
        student.zero_grad()
        torch.manual_seed(0)
        head.loss(student(images.to(memory_format=layout)), target).backward()
        gradients.append(student[0].weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_a_generator_of_the_device_repeats_the_samples(device):
    head = plain_head.plain_head().to(device)
    condition = torch.randn(4, 6, device=device)
    one, same, other = (
        head.sample(condition, 2, torch.Generator(device).manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert one.equal(same)
    assert not one.equal(other)


LABEL_OUT_OF_RANGE = """
import sys, torch
from gendd_mm.generative import DistributionContraction
device = torch.device(sys.argv[1])
contract = DistributionContraction().to(device)
target, centers = torch.randn(2, 4, device=device), torch.randn(3, 4, device=device)
contract(target, torch.tensor([0, 3], device=device), centers)
if device.type == 'cuda':
    torch.cuda.synchronize()
"""


def test_a_label_out_of_range_ends_the_run(device):
    """In a process of its own: the assertion leaves no CUDA context to work with."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', LABEL_OUT_OF_RANGE, device.type],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode != 0
    assert ('device-side assert' if device.type == 'cuda' else 'label 3 is outside') in done.stderr
