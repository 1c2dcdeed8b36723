"""Distributions of the training timestep: where on the noise scale training happens.

Each is a quantile function on [0, 1), 0 clean and 1 pure noise. Given by quantiles, a
distribution can be drawn from any uniform numbers: independent, stratified or
antithetic ones.
"""

import math
from typing import Protocol

import torch
from torch import Tensor


class Timesteps(Protocol):
    """A distribution of noise fractions."""

    def quantile(self, uniform: Tensor) -> Tensor:
        """Noise fractions in [0, 1] at the given probabilities, any shape."""


class UniformTimesteps:
    """Uniform over a part of the noise scale.

    Args:
        low: Lower end, in [0, 1). Defaults to 0.
        high: Upper end, in (low, 1]. Defaults to 1. With 1,000 steps, 0.5 and 1 draw
            the steps 500 to 999.

    Raises:
        ValueError: If the ends are not in this order.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        if not 0 <= low < high <= 1:
            raise ValueError(
                f'timesteps from low={low} to high={high} are not a part of [0, 1]; give '
                'fractions, for example low=0.5, high=1 for the noisier half.'
            )
        self.low = low
        self.high = high

    def quantile(self, uniform: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * uniform


class LogitNormalTimesteps:
    """The logistic function of a normal variable (arXiv 2403.03206, eq. 19).

    Args:
        mean: Mean of the normal; positive favours noisy steps. Defaults to 0.
        std: Its standard deviation, positive. Defaults to 1.

    Raises:
        ValueError: If ``std`` is not positive.
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        if std <= 0:
            raise ValueError(
                f'std={std} of the logit-normal timesteps must be positive (default 1).'
            )
        self.mean = mean
        self.std = std

    def quantile(self, uniform: Tensor) -> Tensor:
        # ndtri(0) is -inf, whose logistic is the 0 that it should be.
        return (self.mean + self.std * torch.special.ndtri(uniform)).sigmoid()


class ShiftedTimesteps:
    """Uniform steps shifted towards noise (arXiv 2403.03206, eq. 23).

    ``shift * u / (1 + (shift - 1) * u)``.

    Args:
        shift: Above 1 favours noisy steps, below 1 clean ones; positive. Defaults to 3.

    Raises:
        ValueError: If ``shift`` is not positive.
    """

    def __init__(self, shift: float = 3.0) -> None:
        if not 0 < shift < math.inf:
            raise ValueError(
                f'shift={shift} of the timesteps must be positive (1 is uniform, 3 the default).'
            )
        self.shift = shift

    def quantile(self, uniform: Tensor) -> Tensor:
        return self.shift * uniform / (1 + (self.shift - 1) * uniform)


TIMESTEPS = {
    'uniform': UniformTimesteps,
    'logit_normal': LogitNormalTimesteps,
    'shifted': ShiftedTimesteps,
}


def build_timesteps(timesteps: dict | Timesteps) -> Timesteps:
    """A distribution from ``dict(type=..., **arguments)``, or itself.

    Raises:
        ValueError: If the type is unknown.
    """
    if not isinstance(timesteps, dict):
        return timesteps
    arguments = dict(timesteps)
    kind = arguments.pop('type', None)
    if kind not in TIMESTEPS:
        raise ValueError(f'timesteps type={kind!r} is unknown; choose from {sorted(TIMESTEPS)}.')
    return TIMESTEPS[kind](**arguments)
