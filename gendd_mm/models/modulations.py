"""Adaptive layer norm: from an embedding to shifts, scales and gates."""
from typing import List, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Modulation(NamedTuple):
    """What one layer is modulated with, each (..., w).

    Attributes:
        shift: Added to the normalised input.
        scale: ``1 + scale`` multiplies it before that.
        gate: Multiplies the residual branch. None in the output layer.
    """
    shift: Tensor
    scale: Tensor
    gate: Optional[Tensor] = None

    def apply(self, normed: Tensor) -> Tensor:
        """``normed * (1 + scale) + shift``."""
        return torch.addcmul(normed + self.shift, normed, self.scale)


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
        self.blocks = nn.ModuleList(
            nn.Linear(width, 3 * width) for _ in range(depth))
        self.output = nn.Linear(width, 2 * width)

    def forward(self, embedding: Tensor) -> List[Modulation]:
        """Modulations of the blocks and of the output layer.

        Args:
            embedding: Shape (..., w).
        """
        # Every layer reads the same activation; take it once.
        activation = F.silu(embedding)
        blocks = [
            Modulation(*linear(activation).chunk(3, dim=-1))
            for linear in self.blocks
        ]
        return [*blocks, Modulation(*self.output(activation).chunk(2, dim=-1))]


class SharedModulation(nn.Module):
    """One linear layer for all blocks, plus offsets that each block learns.

    adaLN-single of PixArt-alpha (arXiv 2310.00426): ``3 * w^2`` multiply-adds
    per embedding whatever the depth.

    Args:
        width: Width w.
        depth: Number of residual blocks; the output layer comes on top.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 3 * width)
        self.offsets = nn.Parameter(torch.zeros(depth + 1, 3, width))

    def forward(self, embedding: Tensor) -> List[Modulation]:
        """Modulations of the blocks and of the output layer.

        Args:
            embedding: Shape (..., w).
        """
        shared = self.linear(F.silu(embedding)).chunk(3, dim=-1)
        *blocks, output = self.offsets
        return [
            *(Modulation(*(part + offset
                           for part, offset in zip(shared, offsets)))
              for offsets in blocks),
            Modulation(shared[0] + output[0], shared[1] + output[1])
        ]


MODULATIONS = {'block': BlockModulation, 'shared': SharedModulation}
