"""The randomness of one loss: steps, noise and dropped conditions.

Rows that share step and drop form a group, since the denoiser's modulations
depend on these and not on the noise.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Draws(NamedTuple):
    """Randomness of C copies in each of G groups, N = C * G rows.

    Groups are ordered by image, then token, then repeat.

    Attributes:
        uniform: Probability of each group's step in the distribution of
            steps, (G,), in [0, 1).
        noise: Standard normal, (C, G, d).
        keep: Whether the group keeps its condition, (G,), bool.
    """

    uniform: Tensor
    noise: Tensor
    keep: Tensor


class IndependentDraws:
    """Every row has its own step, noise and drop (arXiv 2507.14503).

    Args:
        repeats: Noisy copies of each token, at least 1.
        condition_drop: Probability that a row loses its condition, in [0, 1).
    """

    copies = 1

    def __init__(self, repeats: int, condition_drop: float) -> None:
        self.groups_per_token = repeats
        self.condition_drop = condition_drop

    def __call__(
        self,
        batch_size: int,
        num_tokens: int,
        token_dim: int,
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> Draws:
        """Draw the randomness of B images with L tokens of size d."""
        num_groups = batch_size * num_tokens * self.groups_per_token
        uniform = torch.rand(num_groups, device=device, generator=generator)
        noise = torch.randn(1, num_groups, token_dim, device=device, generator=generator)
        drop = torch.rand(num_groups, device=device, generator=generator)
        return Draws(uniform, noise, drop >= self.condition_drop)


class AntitheticDraws:
    """Pairs of opposite noise, and steps spread evenly over each image.

    Every row has the distribution that :class:`IndependentDraws` gives it,
    so the loss has the same expectation; rows of one image are negatively
    correlated, so its gradient varies less once the network has learned a
    little. A pair (noise, -noise) shares step and drop, hence its
    modulations, and the odd part of what it gives cancels. The
    steps of an image form a lattice with a random offset, in which every
    token has evenly spaced ones; the share of dropped conditions is as even.

    Args:
        repeats: Noisy copies of each token, an even number.
        condition_drop: Probability that a row loses its condition, in [0, 1).

    Raises:
        ValueError: If ``repeats`` is odd.
    """

    copies = 2

    def __init__(self, repeats: int, condition_drop: float) -> None:
        if repeats % 2:
            raise ValueError(
                f'repeats={repeats} is odd, but antithetic noise comes in pairs; use {repeats + 1}.'
            )
        self.groups_per_token = repeats // 2
        self.condition_drop = condition_drop

    def __call__(
        self,
        batch_size: int,
        num_tokens: int,
        token_dim: int,
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> Draws:
        """Draw the randomness of B images with L tokens of size d."""
        per_token = self.groups_per_token
        per_image = num_tokens * per_token
        offset, drop_offset = torch.rand(2, batch_size, 1, device=device, generator=generator)
        order = torch.arange(per_image, device=device)
        # Token l, repeat p: place p * L + l, so that the repeats of a token
        # are 1 / P apart.
        place = order % per_token * num_tokens + order // per_token
        uniform = ((place / per_image + offset) % 1).flatten()
        # In random order, so that a drop says nothing of the step.
        rank = torch.rand(batch_size, per_image, device=device, generator=generator).argsort(dim=1)
        drop = ((rank + drop_offset) / per_image).flatten()
        noise = torch.randn(batch_size * per_image, token_dim, device=device, generator=generator)
        return Draws(uniform, torch.stack([noise, -noise]), drop >= self.condition_drop)


NOISE_SAMPLING = {
    'independent': IndependentDraws,
    'antithetic': AntitheticDraws,
}
