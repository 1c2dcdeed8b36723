"""Noise schedules: how much of the signal is left after each step.

Everything here is float64 on the CPU, whatever the default device is; the process that
uses a schedule moves it to the device and the precision it computes in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


def cosine_betas(num_timesteps: int, max_beta: float = 0.999) -> Tensor:
    """Betas of the cosine schedule (Nichol & Dhariwal, arXiv 2102.09672).

    With ``abar(s) = cos^2((s + 0.008) / 1.008 * pi / 2)``,
    ``beta_i = min(1 - abar((i + 1) / T) / abar(i / T), max_beta)``.

    Args:
        num_timesteps: Number of diffusion steps T, at least 1.
        max_beta: Upper bound of a beta, in (0, 1).

    Returns:
        Betas, shape (num_timesteps,), float64.
    """
    s = torch.arange(num_timesteps + 1, dtype=torch.float64, device='cpu') / num_timesteps
    alpha_bar = torch.cos((s + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)


def linear_betas(num_timesteps: int) -> Tensor:
    """Betas of the linear schedule (Ho et al., arXiv 2006.11239).

    From 1e-4 to 0.02 at 1,000 steps, scaled by ``1000 / num_timesteps`` otherwise so
    that the noise at the last step stays the same.

    Args:
        num_timesteps: Number of diffusion steps T, at least 21 (fewer would give a beta
            of 1 or more).

    Returns:
        Betas, shape (num_timesteps,), float64.

    Raises:
        ValueError: If ``num_timesteps`` is below 21.
    """
    if num_timesteps < 21:
        raise ValueError(
            f'num_timesteps={num_timesteps} is too small for the linear schedule, whose last beta '
            '20 / num_timesteps must stay below 1; use 21 or more, or the cosine schedule.'
        )
    scale = 1000 / num_timesteps
    return torch.linspace(
        scale * 1e-4, scale * 0.02, num_timesteps, dtype=torch.float64, device='cpu'
    )


BETAS = {'cosine': cosine_betas, 'linear': linear_betas}


def spaced_timesteps(num_kept: int, start_t: int) -> list[int]:
    """``num_kept`` evenly spaced timesteps from 0 to ``start_t``, both included.

    Args:
        num_kept: Number of steps to keep, in [1, start_t + 1]. A single step is
            ``start_t`` itself.
        start_t: The noisiest step, at least 0.

    Returns:
        Increasing step indices.

    Raises:
        ValueError: If ``num_kept`` is outside [1, start_t + 1].
    """
    if not 1 <= num_kept <= start_t + 1:
        raise ValueError(
            f'num_steps={num_kept} sampling steps cannot be spread over the diffusion steps '
            f'0..{start_t}; use a number from 1 to {start_t + 1}.'
        )
    if num_kept == 1:
        return [start_t]
    stride = start_t / (num_kept - 1)
    return [round(i * stride) for i in range(num_kept)]


@dataclass(frozen=True)
class NoiseSchedule:
    """A discrete schedule and the tables that follow from it.

    Indexed by the step i in [0, T); every table has shape (T,), float64.

    Attributes:
        betas: Variance added by step i.
        alpha_bar: Share of the signal's variance left after step i.
        posterior_log_variance: ``log Var[x_{t-1} | x_t, x_0]``. The posterior variance
            of step 0 is zero; its entry is clipped to that of step 1 (or, in a schedule
            of one step, to ``log beta``).
    """

    betas: Tensor
    alpha_bar: Tensor = field(init=False)
    posterior_log_variance: Tensor = field(init=False)

    def __post_init__(self) -> None:
        alpha_bar = torch.cumprod(1 - self.betas, 0)
        before = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
        variance = self.betas * (1 - before) / (1 - alpha_bar)
        variance[0] = variance[1] if len(variance) > 1 else self.betas[0]
        object.__setattr__(self, 'alpha_bar', alpha_bar)
        object.__setattr__(self, 'posterior_log_variance', variance.log())

    def __len__(self) -> int:
        return len(self.betas)

    def respace(self, steps: Sequence[int]) -> 'NoiseSchedule':
        """The schedule that visits only ``steps``.

        It keeps the marginals: alpha_bar at the kept steps is unchanged, and each new
        beta bridges the gap to the kept step before.

        Args:
            steps: Increasing step indices in [0, T).
        """
        kept = self.alpha_bar[list(steps)]
        before = torch.cat([kept.new_ones(1), kept[:-1]])
        return NoiseSchedule(1 - kept / before)
