"""The denoiser of the generative head: an MLP with adaptive layer norm."""

import math

import torch
from torch import Tensor, nn

from .linear import Linear, linear
from .modulation import MODULATIONS, Modulation


class TokenDenoiser(nn.Module):
    """Estimate the noise in a token, given timestep, condition and position.

    The MLP of GenDD (arXiv 2507.14503, implementation details) after MAR's diffusion
    loss (arXiv 2406.11838): residual blocks whose layer norms are shifted, scaled and
    gated by an embedding of timestep, condition and position.

    Multiply-adds per row, if it shares nothing with others:
    ``(5 * depth + 3) * w^2 + (d + d_out + S + 256) * w``; 19.9 M at the defaults with d
    = 64, d_out = 128 and S = 512. With ``modulation='shared'``:
    ``(2 * depth + 4) * w^2`` instead of the first term, 11.5 M.

    Args:
        token_dim: Token size d.
        output_dim: Channels per token that the process asks for (2 d with a learned
            variance).
        condition_dim: Condition size S.
        num_tokens: Number of token positions L.
        width: Hidden width w. Defaults to 1024.
        depth: Number of residual blocks. Defaults to 3.
        modulation: ``'block'``, a linear layer for each block as in the paper, or
            ``'shared'``, one for all with learned offsets. Defaults to ``'block'``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        token_dim: int,
        output_dim: int,
        condition_dim: int,
        num_tokens: int,
        width: int = 1024,
        depth: int = 3,
        modulation: str = 'block',
    ) -> None:
        super().__init__()
        for name, value in (('width', width), ('depth', depth), ('condition_dim', condition_dim)):
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1.')
        if modulation not in MODULATIONS:
            raise ValueError(
                f'modulation={modulation!r} is unknown; choose from {sorted(MODULATIONS)}.'
            )
        self.input = Linear(token_dim, width)
        self.time_embedding = TimeEmbedding(width)
        self.condition_embedding = Linear(condition_dim, width)
        self.token_embedding = nn.Embedding(num_tokens, width)
        self.modulation = MODULATIONS[modulation](width, depth)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.output_norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.output = Linear(width, output_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as GenDD does, after MAR."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in self.time_embedding.linears:
            nn.init.normal_(layer.weight, std=0.02)
        # Zero: every block starts as the identity, the output as zero.
        for parameter in self.modulation.parameters():
            nn.init.zeros_(parameter)
        nn.init.zeros_(self.output.weight)
        nn.init.normal_(self.token_embedding.weight)

    def forward(self, noisy: Tensor, t: Tensor, condition: Tensor, token_index: Tensor) -> Tensor:
        """Denoise rows that each have their own timestep, condition, position.

        Args:
            noisy: Noisy tokens, shape (N, d).
            t: Timesteps, shape (N,), int64 or floating point.
            condition: Conditions, shape (N, S); a row of zeros means none.
            token_index: Positions in [0, L), shape (N,), int64.

        Returns:
            Denoiser output, shape (N, output_dim).
        """
        embedding = (
            self.time_embedding(t)
            + self.condition_embedding(condition)
            + self.token_embedding(token_index)
        )
        return self.denoise(noisy, self.modulation(embedding))

    def embed_condition(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Embed conditions and positions apart.

        A dropped condition is the zero vector, so only the bias remains of it, which
        is added to every position. With the two apart, a caller embeds each image once
        and drops its condition row by row.

        Args:
            condition: Conditions, shape (B, S).

        Returns:
            The linear part of each condition, shape (B, w), and the embedding of each
            position without one, shape (L, w).

        Raises:
            ValueError: If the condition is not of shape (B, S).
        """
        layer = self.condition_embedding
        if condition.dim() != 2 or condition.size(1) != layer.in_features:
            raise ValueError(
                f'a condition of shape {tuple(condition.shape)} does not fit a head built for '
                f'condition_dim={layer.in_features}; give the pooled student feature, shape '
                '(B, condition_dim), or the rows of a dense one (MapsToRows).'
            )
        return (linear(condition, layer.weight), self.token_embedding.weight + layer.bias)

    def embedding_table(
        self, condition: Tensor, token: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Embed positions and conditions once for all rows of a loss.

        Args:
            condition: Conditions, shape (B, S).
            token: Which of the B * L tokens each timestep belongs to, shape (M,).
            keep: Whether it keeps its condition, shape (M,), bool.

        Returns:
            A table, shape (L + B + 1, w), whose last row is zero, and the indices of
            the two rows whose sum is each timestep's embedding, shape (M, 2).
        """
        linear, positions = self.embed_condition(condition)
        num_tokens = len(positions)
        table = torch.cat([positions, linear, torch.zeros_like(linear[:1])])
        image = torch.where(keep, num_tokens + token // num_tokens, len(table) - 1)
        return table, torch.stack([token % num_tokens, image], dim=1)

    def denoise(
        self, noisy: Tensor, modulations: list[Modulation], num_outputs: int | None = None
    ) -> Tensor:
        """Denoise with modulations that the caller computed.

        They broadcast, so that noisy copies of a token can share them.

        Args:
            noisy: Noisy tokens, shape (..., d).
            modulations: Output of ``self.modulation`` for the sum of the embeddings of
                time, condition and position.
            num_outputs: Number of leading output channels to compute. None means all.

        Returns:
            Denoiser output, shape (..., num_outputs).
        """
        hidden = self.input(noisy)
        *of_blocks, of_output = modulations
        for block, modulation in zip(self.blocks, of_blocks, strict=True):
            hidden = block(hidden, modulation)
        hidden = of_output.apply(self.output_norm(hidden))
        if num_outputs is None:
            return self.output(hidden)
        return linear(hidden, self.output.weight[:num_outputs], self.output.bias[:num_outputs])


class TimeEmbedding(nn.Module):
    """Sinusoids of the timestep (cosines first), then a two-layer MLP.

    Args:
        width: Output width w.
        num_frequencies: Number of frequencies, each with a cosine and a sine. Defaults
            to 128.
    """

    def __init__(self, width: int, num_frequencies: int = 128) -> None:
        super().__init__()
        self.num_frequencies = num_frequencies
        self.mlp = nn.Sequential(
            Linear(2 * num_frequencies, width), nn.SiLU(), Linear(width, width)
        )

    @property
    def linears(self) -> list[nn.Linear]:
        """The two linear layers."""
        return [layer for layer in self.mlp if isinstance(layer, nn.Linear)]

    def forward(self, t: Tensor) -> Tensor:
        """Embed timesteps, shape (N,), as (N, w)."""
        # In float64: in float32 an angle of 999 is rounded to 3e-5, which
        # would be the largest error of the whole loss.
        order = torch.arange(self.num_frequencies, dtype=torch.float64, device=t.device)
        frequencies = (-math.log(10000) / self.num_frequencies * order).exp()
        angles = t.double()[:, None] * frequencies
        sinusoids = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.mlp(sinusoids.to(self.linears[0].weight.dtype))


class ResidualBlock(nn.Module):
    """Residual MLP block whose input norm and branch are modulated.

    Args:
        width: Hidden width w.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(Linear(width, width), nn.SiLU(), Linear(width, width))

    def forward(self, hidden: Tensor, modulation: Modulation) -> Tensor:
        """``h + gate * MLP(LN(h) * (1 + scale) + shift)``, shape (..., w)."""
        branch = self.mlp(modulation.apply(self.norm(hidden)))
        return modulation.add_gated(hidden, branch)
