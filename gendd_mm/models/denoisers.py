"""The denoiser of the generative head: an MLP with adaptive layer norm."""
import math
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gendd_mm.registry import MODELS


@MODELS.register_module()
class TokenDenoiser(nn.Module):
    """Estimate the noise in a token, given step, condition and position.

    The MLP of GenDD (arXiv 2507.14503, implementation details) after MAR's
    diffusion loss (arXiv 2406.11838): residual blocks whose layer norms are
    shifted, scaled and gated by an embedding of everything that is given.

    Multiply-adds per row: ``(5 * depth + 3) * w^2 + (d + d_out + S + 256) *
    w``; 19.9 M at the defaults with d = 64, d_out = 128 and S = 512.

    Args:
        token_dim: Token size d.
        output_dim: Channels per token that the process asks for (2 d with a
            learned variance).
        condition_dim: Condition size S.
        num_tokens: Number of token positions L.
        width: Hidden width w. Defaults to 1024.
        depth: Number of residual blocks. Defaults to 3.
    """

    def __init__(self,
                 token_dim: int,
                 output_dim: int,
                 condition_dim: int,
                 num_tokens: int,
                 width: int = 1024,
                 depth: int = 3) -> None:
        super().__init__()
        for name, value in (('width', width), ('depth', depth),
                            ('condition_dim', condition_dim)):
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1.')
        self.input = nn.Linear(token_dim, width)
        self.time_embedding = TimeEmbedding(width)
        self.condition_embedding = nn.Linear(condition_dim, width)
        self.token_embedding = nn.Embedding(num_tokens, width)
        self.blocks = nn.ModuleList(
            ModulatedBlock(width) for _ in range(depth))
        self.output = ModulatedOutput(width, output_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as GenDD does, after MAR."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for linear in self.time_embedding.linears:
            nn.init.normal_(linear.weight, std=0.02)
        # Zero: every block starts as the identity, the output as zero.
        zeroed = [block.modulation for block in self.blocks]
        for linear in (*zeroed, self.output.modulation, self.output.linear):
            nn.init.zeros_(linear.weight)
        nn.init.normal_(self.token_embedding.weight)

    def forward(self, noisy: Tensor, t: Tensor, condition: Tensor,
                token_index: Tensor) -> Tensor:
        """Denoise rows that each have their own step, condition, position.

        Args:
            noisy: Noisy tokens, shape (N, d).
            t: Diffusion steps, shape (N,), int64 or floating point.
            condition: Conditions, shape (N, S); a row of zeros means none.
            token_index: Positions in [0, L), shape (N,), int64.

        Returns:
            Denoiser output, shape (N, output_dim).
        """
        embedding = (
            self.time_embedding(t) + self.condition_embedding(condition) +
            self.token_embedding(token_index))
        return self.denoise(noisy, embedding)

    def embed_condition(self, condition: Tensor) -> Tuple[Tensor, Tensor]:
        """What the condition adds to the embedding, and what stays without.

        A dropped condition is the zero vector, so what is left of it is the
        bias. Given apart, the two let a caller embed each image once and
        drop the condition row by row.

        Args:
            condition: Conditions, shape (B, S).

        Returns:
            The linear part, shape (B, w), and the bias, shape (w,).
        """
        linear = self.condition_embedding
        return F.linear(condition, linear.weight), linear.bias

    def denoise(self, noisy: Tensor, embedding: Tensor) -> Tensor:
        """Denoise with an embedding that the caller put together.

        Args:
            noisy: Noisy tokens, shape (N, d).
            embedding: Sum of time, condition and token embedding, (N, w).

        Returns:
            Denoiser output, shape (N, output_dim).
        """
        hidden = self.input(noisy)
        # Every modulation reads the same activation; take it once.
        modulation = F.silu(embedding)
        for block in self.blocks:
            hidden = block(hidden, modulation)
        return self.output(hidden, modulation)


class TimeEmbedding(nn.Module):
    """Sinusoids of the step (cosines first), then a two-layer MLP.

    Args:
        width: Output width w.
        num_frequencies: Number of frequencies; the sinusoids are twice that.
            Defaults to 128.
    """

    def __init__(self, width: int, num_frequencies: int = 128) -> None:
        super().__init__()
        frequencies = torch.exp(
            -math.log(10000) * torch.arange(num_frequencies) / num_frequencies)
        self.register_buffer('frequencies', frequencies, persistent=False)
        self.mlp = nn.Sequential(
            nn.Linear(2 * num_frequencies, width), nn.SiLU(),
            nn.Linear(width, width))

    @property
    def linears(self) -> Tuple[nn.Linear, nn.Linear]:
        """The two linear layers."""
        return self.mlp[0], self.mlp[2]

    def forward(self, t: Tensor) -> Tensor:
        """Embed steps, shape (N,), as (N, w)."""
        angles = t[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class ModulatedBlock(nn.Module):
    """Residual MLP block with adaptive layer norm: shift, scale, gate.

    Args:
        width: Hidden width w.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.modulation = nn.Linear(width, 3 * width)

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        """``h + gate * MLP(LN(h) * (1 + scale) + shift)``, shape (N, w)."""
        shift, scale, gate = self.modulation(modulation).chunk(3, dim=-1)
        return hidden + gate * self.mlp(
            modulate(self.norm(hidden), shift, scale))


class ModulatedOutput(nn.Module):
    """Output layer with adaptive layer norm: shift, scale.

    Args:
        width: Hidden width w.
        output_dim: Output channels.
    """

    def __init__(self, width: int, output_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(width, output_dim)
        self.modulation = nn.Linear(width, 2 * width)

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        """``Linear(LN(h) * (1 + scale) + shift)``, shape (N, output_dim)."""
        shift, scale = self.modulation(modulation).chunk(2, dim=-1)
        return self.linear(modulate(self.norm(hidden), shift, scale))


def modulate(normed: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """``normed * (1 + scale) + shift``, elementwise."""
    return torch.addcmul(normed + shift, normed, scale)
