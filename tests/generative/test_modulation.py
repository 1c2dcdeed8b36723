"""Modulations of the denoiser: plain second implementations, initialisation."""

import pytest
import torch
import torch.nn.functional as F
from reference_head import randomize
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.generative.denoiser import TokenDenoiser
from gendd_mm.generative.modulation import (
    MODULATIONS,
    BlockModulation,
    Modulation,
    SharedModulation,
)

KINDS = pytest.mark.parametrize('kind', MODULATIONS.values())


def test_modulated_input_is_scaled_then_shifted(float64):
    normed, shift, scale = torch.randn(3, 5, 16)
    torch.testing.assert_close(Modulation(shift, scale).apply(normed), normed * (1 + scale) + shift)


@pytest.mark.parametrize('copies', [(), (1,), (2,)], ids=str)
def test_gradients_of_the_short_passes_are_exact(float64, copies):
    """Also where several copies share a modulation, by finite differences."""
    shape = (4, 3)
    inputs = [
        torch.randn(*axes, *shape, requires_grad=True) for axes in (copies, (), (), (), copies)
    ]

    def both(normed, shift, scale, gate, branch):
        modulation = Modulation(shift, scale, gate)
        return modulation.add_gated(modulation.apply(normed), branch)

    assert torch.autograd.gradcheck(both, inputs)
    normed, shift, scale, gate, branch = inputs
    torch.testing.assert_close(both(*inputs), normed * (1 + scale) + shift + gate * branch)


def test_block_modulation_equals_the_plain_implementation(float64):
    modulation, e = randomize(BlockModulation(16, 3)), torch.randn(5, 16)
    *blocks, output = modulation(e)
    assert len(blocks) == 3
    for linear, ours in zip([*modulation.blocks, modulation.output], [*blocks, output]):
        expected = F.silu(e) @ linear.weight.T + linear.bias
        parts = [part for part in ours if part is not None]
        torch.testing.assert_close(torch.cat(parts, 1), expected)
    assert output.gate is None


def test_shared_modulation_equals_the_plain_implementation(float64):
    """Every block adds its offsets to what all of them share."""
    modulation, e = randomize(SharedModulation(16, 3)), torch.randn(5, 16)
    weight, bias = modulation.linear.weight, modulation.linear.bias
    shared = (F.silu(e) @ weight.T + bias).view(5, 3, 16)
    *blocks, output = modulation(e)
    assert len(blocks) == 3
    for offsets, (shift, scale, gate) in zip(modulation.offsets, blocks):
        torch.testing.assert_close(torch.stack([shift, scale, gate], 1), shared + offsets)
    last = modulation.offsets[3]
    torch.testing.assert_close(output.shift, shared[:, 0] + last[0])
    torch.testing.assert_close(output.scale, shared[:, 1] + last[1])
    assert output.gate is None


@pytest.mark.parametrize('name', MODULATIONS)
def test_a_denoiser_starts_with_blocks_that_are_the_identity(name):
    denoiser = TokenDenoiser(4, 8, 6, 3, width=16, depth=2, modulation=name)
    assert all((p == 0).all() for p in denoiser.modulation.parameters())
    for modulation in denoiser.modulation(torch.randn(5, 16)):
        assert all((part == 0).all() for part in modulation if part is not None)


@KINDS
def test_leading_axes_broadcast(kind):
    modulation, e = randomize(kind(16, 2)), torch.randn(3, 5, 16)
    for together, alone in zip(modulation(e), modulation(e[1])):
        for part, expected in zip(together, alone):
            if expected is not None:
                torch.testing.assert_close(part[1], expected)


@KINDS
def test_every_parameter_matters(kind):
    modulation = randomize(kind(16, 2))
    sum(
        part.square().sum()
        for parts in modulation(torch.randn(5, 16))
        for part in parts
        if part is not None
    ).backward()
    for name, parameter in modulation.named_parameters():
        if name == 'offsets':  # but the gate of the output layer
            assert (parameter.grad[:2] != 0).all()
            assert (parameter.grad[2, :2] != 0).all()
            assert (parameter.grad[2, 2] == 0).all()
        else:
            assert (parameter.grad != 0).all()


@pytest.mark.parametrize('depth', [1, 3])
def test_cost_is_that_of_the_docstrings(depth):
    for kind, matrices in ((BlockModulation, 3 * depth + 2), (SharedModulation, 3)):
        with torch.device('meta'):
            modulation, embedding = kind(16, depth), torch.randn(5, 16)
        with FlopCounterMode(display=False) as counter:
            modulation(embedding)
        assert counter.get_total_flops() == 2 * 5 * matrices * 16**2
