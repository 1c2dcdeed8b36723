"""Adaptive layer norm: from an embedding to shifts, scales and gates."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear import Linear


class Modulation(NamedTuple):
    """The modulation of one layer; each part has shape (..., w).

    Attributes:
        shift: Added to the normalised input.
        scale: ``1 + scale`` multiplies the normalised input before that.
        gate: Multiplies the residual branch. None in the output layer.
    """

    shift: Tensor
    scale: Tensor
    gate: Tensor | None = None

    def apply(self, normed: Tensor) -> Tensor:
        """``normed * (1 + scale) + shift``."""
        return _Affine.apply(normed, self.scale, self.shift)

    def add_gated(self, hidden: Tensor, branch: Tensor) -> Tensor:
        """``hidden + gate * branch``."""
        return _GatedSum.apply(hidden, self.gate, branch)

    def map(self, function: Callable[[Tensor], Tensor]) -> 'Modulation':
        """Apply ``function`` to each part."""
        gate = None if self.gate is None else function(self.gate)
        return Modulation(function(self.shift), function(self.scale), gate)


class _Affine(torch.autograd.Function):
    """``normed * (1 + scale) + shift`` in two passes over memory each way.

    Autograd's own backward pass of ``addcmul`` takes five.
    """

    @staticmethod
    def forward(ctx, normed: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        ctx.save_for_backward(normed, scale)
        ctx.shift_shape = shift.shape
        return torch.addcmul(normed + shift, normed, scale)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed, scale = ctx.saved_tensors
        of_normed = torch.addcmul(gradient, gradient, scale.to(gradient))
        return (
            _summed_to(of_normed, normed.shape),
            _summed_to(gradient * normed, scale.shape),
            _summed_to(gradient, ctx.shift_shape),
        )


class _GatedSum(torch.autograd.Function):
    """``hidden + gate * branch``, for the same reason as :class:`_Affine`."""

    @staticmethod
    def forward(ctx, hidden: Tensor, gate: Tensor, branch: Tensor) -> Tensor:
        ctx.save_for_backward(gate, branch)
        ctx.hidden_shape = hidden.shape
        return torch.addcmul(hidden, gate, branch)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gate, branch = ctx.saved_tensors
        return (
            _summed_to(gradient, ctx.hidden_shape),
            _summed_to(gradient * branch, gate.shape),
            _summed_to(gradient * gate, branch.shape),
        )


def _summed_to(gradient: Tensor, shape: torch.Size) -> Tensor:
    """Undo broadcasting, by a sum only where there was some."""
    if gradient.numel() == shape.numel():
        return gradient.reshape(shape)
    return gradient.sum_to_size(shape)


class BlockModulation(nn.Module):
    """A linear layer of its own for every block (adaLN-zero).

    The denoiser of GenDD (arXiv 2507.14503), after DiT (arXiv 2212.09748).
    ``(3 * depth + 2) * w^2`` multiply-adds per embedding.

    Args:
        width: Width w.
        depth: Number of residual blocks; the output layer comes on top.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Linear(width, 3 * width) for _ in range(depth))
        self.output = Linear(width, 2 * width)

    def forward(self, embedding: Tensor) -> list[Modulation]:
        """Modulations of the blocks and of the output layer.

        Args:
            embedding: Shape (..., w).
        """
        # Every layer reads the same activation; compute it once.
        activation = F.silu(embedding)
        blocks = [Modulation(*linear(activation).chunk(3, dim=-1)) for linear in self.blocks]
        return [*blocks, Modulation(*self.output(activation).chunk(2, dim=-1))]


class SharedModulation(nn.Module):
    """One linear layer for all blocks, plus offsets that each block learns.

    adaLN-single of PixArt-alpha (arXiv 2310.00426): ``3 * w^2`` multiply-adds per
    embedding at any depth.

    Args:
        width: Width w.
        depth: Number of residual blocks; the output layer comes on top.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.linear = Linear(width, 3 * width)
        self.offsets = nn.Parameter(torch.zeros(depth + 1, 3, width))

    def forward(self, embedding: Tensor) -> list[Modulation]:
        """Modulations of the blocks and of the output layer.

        Args:
            embedding: Shape (..., w).
        """
        shared = self.linear(F.silu(embedding)).unflatten(-1, (3, -1))
        *blocks, output = self.offsets
        return [
            *(Modulation(*(shared + offsets).unbind(-2)) for offsets in blocks),
            Modulation(*(shared[..., :2, :] + output[:2]).unbind(-2)),
        ]


MODULATIONS = {'block': BlockModulation, 'shared': SharedModulation}
