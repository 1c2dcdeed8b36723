"""Mixed precision on a device: gradient scaling, skipped steps, running statistics."""

import copy

import pytest
import torch
from plain_head import Trained, batch, draw_on_cpu

DTYPES = [torch.float16, torch.bfloat16]


def amp_step(
    model, optimizer, scaler, inputs: tuple, dtype: torch.dtype, enabled: bool = True
) -> torch.Tensor:
    """A step as AmpOptimWrapper takes it."""
    optimizer.zero_grad()
    with torch.autocast(inputs[0].device.type, dtype, enabled=enabled):
        loss = model(*inputs)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()


@pytest.mark.parametrize('row_chunk', [None, 10])
@pytest.mark.parametrize('dtype', DTYPES)
def test_a_scaled_step_is_close_to_that_in_float32(device, dtype, row_chunk):
    exact = Trained(feature_mixup=False, row_chunk=row_chunk).to(device)
    model, inputs = copy.deepcopy(exact), batch(device)
    start = torch.cat([p.detach().flatten() for p in exact.parameters()])
    moves, losses = [], []
    for either, half in ((exact, False), (model, True)):
        draw_on_cpu(either.gendd.head)
        optimizer = torch.optim.SGD(either.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler(device.type, init_scale=1024.0, enabled=half)
        losses.append(amp_step(either, optimizer, scaler, inputs, dtype, half))
        moves.append(torch.cat([p.detach().flatten() for p in either.parameters()]) - start)
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.05, atol=0)
    assert (moves[1] - moves[0]).norm() < 0.1 * moves[0].norm()


@pytest.mark.parametrize('row_chunk', [None, 10])
@pytest.mark.parametrize('dtype', DTYPES)
def test_a_step_that_overflows_is_skipped(device, dtype, row_chunk):
    model, inputs = Trained(row_chunk=row_chunk).to(device), batch(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    # So large that every gradient overflows, and far too small after one step.
    scaler = torch.amp.GradScaler(device.type, init_scale=2.0**127, backoff_factor=2.0**-120)
    before = copy.deepcopy(dict(model.named_parameters()))
    amp_step(model, optimizer, scaler, inputs, dtype)
    assert all(p.equal(before[name]) for name, p in model.named_parameters())
    assert scaler.get_scale() == 2.0**7
    amp_step(model, optimizer, scaler, inputs, dtype)
    assert not all(p.equal(before[name]) for name, p in model.named_parameters())
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize('dtype', DTYPES)
def test_running_statistics_are_those_of_float32(device, dtype):
    exact = Trained(feature_mixup=False).to(device)
    model, inputs = copy.deepcopy(exact), batch(device)
    exact(*inputs)
    with torch.autocast(device.type, dtype):
        model(*inputs)
    buffers = dict(exact.named_buffers())
    for name, buffer in model.named_buffers():
        assert buffer.dtype == buffers[name].dtype
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-6, atol=1e-7)
    assert any(name.endswith('target_scale.moments') for name in buffers)
    assert any(name.endswith('centers.means.mean') for name in buffers)
