"""The randomness of one loss: timesteps, noise and dropped conditions.

A timestep is drawn with one noise vector or, if antithetic, with two. The two rows of
the denoiser share their modulations, which depend on timestep and condition but not on
the noise.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Shape = tuple[int, int, int]


class TrainingNoise(NamedTuple):
    """M timesteps with R noise vectors each: R * M rows of the denoiser.

    Timesteps are ordered by image, then token, then repeat.

    Attributes:
        uniform: Quantile of each timestep in their distribution, (M,), in [0, 1).
        noise: Standard normal, (R, M, d).
        keep: Whether the condition is kept at a timestep, (M,), bool.
    """

    uniform: Tensor
    noise: Tensor
    keep: Tensor


class NoiseSampling(Protocol):
    """How the randomness of a loss is drawn."""

    noises_per_timestep: int
    timesteps_per_token: int

    def __call__(
        self, shape: Shape, device: torch.device, generator: torch.Generator | None = None
    ) -> TrainingNoise:
        """Draw the randomness of tokens of a shape (B, L, d)."""


class IndependentNoise:
    """Every row has its own timestep, noise and drop (arXiv 2507.14503).

    Args:
        repeats: Noisy copies of each token, at least 1.
        condition_drop: Probability that a row loses its condition, in [0, 1).
    """

    noises_per_timestep = 1

    def __init__(self, repeats: int, condition_drop: float) -> None:
        self.timesteps_per_token = repeats
        self.condition_drop = condition_drop

    def __call__(
        self, shape: Shape, device: torch.device, generator: torch.Generator | None = None
    ) -> TrainingNoise:
        """Draw the randomness of tokens of a shape (B, L, d)."""
        batch_size, num_tokens, token_dim = shape
        num_timesteps = batch_size * num_tokens * self.timesteps_per_token
        uniform = torch.rand(num_timesteps, device=device, generator=generator)
        noise = torch.randn(1, num_timesteps, token_dim, device=device, generator=generator)
        drop = torch.rand(num_timesteps, device=device, generator=generator)
        return TrainingNoise(uniform, noise, drop >= self.condition_drop)


class AntitheticNoise:
    """Pairs of opposite noise, and timesteps spread evenly over each image.

    Every row has the distribution that :class:`IndependentNoise` gives it, so the loss
    has the same expectation; rows of one image are negatively correlated, so its
    gradient varies less once the network has learned a little. A pair (noise, -noise)
    shares timestep and drop, hence its modulations, and the odd part of its gradient
    cancels. The timesteps of an image form a lattice with a random offset, in which
    every token has evenly spaced ones; dropped conditions are spread as evenly.

    Args:
        repeats: Noisy copies of each token, an even number.
        condition_drop: Probability that a row loses its condition, in [0, 1).

    Raises:
        ValueError: If ``repeats`` is odd.
    """

    noises_per_timestep = 2

    def __init__(self, repeats: int, condition_drop: float) -> None:
        if repeats % 2:
            raise ValueError(
                f'repeats={repeats} is odd, but antithetic noise comes in pairs; use {repeats + 1}.'
            )
        self.timesteps_per_token = repeats // 2
        self.condition_drop = condition_drop

    def __call__(
        self, shape: Shape, device: torch.device, generator: torch.Generator | None = None
    ) -> TrainingNoise:
        """Draw the randomness of tokens of a shape (B, L, d)."""
        batch_size, num_tokens, token_dim = shape
        per_token = self.timesteps_per_token
        per_image = num_tokens * per_token
        offset, drop_offset = torch.rand(2, batch_size, 1, device=device, generator=generator)
        order = torch.arange(per_image, device=device)
        # Token l, repeat p: place p * L + l, so that the repeats of a token
        # are 1 / P apart.
        place = order % per_token * num_tokens + order // per_token
        uniform = ((place / per_image + offset) % 1).flatten()
        # In random order, so that drops do not depend on timesteps.
        rank = torch.rand(batch_size, per_image, device=device, generator=generator).argsort(dim=1)
        drop = ((rank + drop_offset) / per_image).flatten()
        noise = torch.randn(batch_size * per_image, token_dim, device=device, generator=generator)
        return TrainingNoise(uniform, torch.stack([noise, -noise]), drop >= self.condition_drop)


NOISE_SAMPLING: dict[str, Callable[[int, float], NoiseSampling]] = {
    'independent': IndependentNoise,
    'antithetic': AntitheticNoise,
}
