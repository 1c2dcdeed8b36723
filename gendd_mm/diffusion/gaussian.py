"""Gaussian diffusion with a learned variance: noising and the hybrid loss."""
import math
from typing import Optional

import torch
from torch import Tensor, nn

from .schedules import BETAS, NoiseSchedule

# The token values count as quantised to 256 levels in [-1, 1], as in the image
# diffusion models that the hybrid loss comes from; half a bin is 1/255.
HALF_BIN = 1 / 255
OPEN_END = 0.999


class GaussianDiffusion(nn.Module):
    """DDPM noising process, noise prediction, learned-range variance.

    The process of GenDD (arXiv 2507.14503, method section), which follows
    improved DDPM (arXiv 2102.09672): the network gives the noise estimate and
    an interpolation between the two extreme log variances; the loss is the
    squared error of the noise plus the variational bound, whose gradient
    reaches the variance only.

    It has no parameters. Symbols: ``x_0`` is the clean token, ``x_t`` the
    noisy one, ``t`` the step in [0, num_steps).

    Args:
        num_steps: Number of diffusion steps T, at least 2. Defaults to 1000.
        schedule: ``'cosine'`` or ``'linear'``. Defaults to ``'cosine'``.

    Raises:
        ValueError: If ``num_steps`` or ``schedule`` is out of range.
    """

    def __init__(self,
                 num_steps: int = 1000,
                 schedule: str = 'cosine') -> None:
        super().__init__()
        if num_steps < 2:
            raise ValueError(
                f'num_steps={num_steps} is too small; a diffusion '
                'process has at least 2 steps (default 1000).')
        if schedule not in BETAS:
            raise ValueError(f'schedule={schedule!r} is unknown; choose from '
                             f'{sorted(BETAS)}.')
        self.num_steps = num_steps
        self.schedule = NoiseSchedule(BETAS[schedule](num_steps))
        betas, alpha_bar = self.schedule.betas, self.schedule.alpha_bar
        tables = dict(
            signal_scale=alpha_bar.sqrt(),
            noise_scale=(1 - alpha_bar).sqrt(),
            log_beta=betas.log(),
            posterior_log_variance=self.schedule.posterior_log_variance,
            # The two means differ by this times (noise estimate - noise):
            # mean = (x_t - beta / sqrt(1 - abar) * noise) / sqrt(1 - beta)
            noise_to_mean=betas / ((1 - alpha_bar) * (1 - betas)).sqrt(),
        )
        for name, table in tables.items():
            # Not saved: they follow from the two arguments.
            self.register_buffer(name, table, persistent=False)

    def output_dim(self, token_dim: int) -> int:
        """Channels that the denoiser gives for a token of ``token_dim``."""
        return 2 * token_dim

    def draw_steps(self,
                   num_rows: int,
                   device: torch.device,
                   generator: Optional[torch.Generator] = None) -> Tensor:
        """Uniform steps in [0, num_steps), shape (num_rows,), int64."""
        return torch.randint(
            self.num_steps, (num_rows, ), device=device, generator=generator)

    def add_noise(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """``x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise``.

        Args:
            x_0: Clean tokens, shape (N, d).
            t: Steps, shape (N,), int64.
            noise: Standard normal, shape (N, d).

        Returns:
            Noisy tokens, shape (N, d).
        """
        return (self._at(self.signal_scale, t, x_0) * x_0 +
                self._at(self.noise_scale, t, x_0) * noise)

    def log_variance(self, interpolation: Tensor, t: Tensor) -> Tensor:
        """Log variance of the learned reverse step (arXiv 2102.09672, eq. 15).

        Args:
            interpolation: The network's v, shape (N, d): 1 gives log beta_t,
                -1 the log posterior variance, values between interpolate.
            t: Steps, shape (N,), int64.

        Returns:
            Log variance, shape (N, d).
        """
        high = self._at(self.log_beta, t, interpolation)
        low = self._at(self.posterior_log_variance, t, interpolation)
        share = (interpolation + 1) / 2
        return share * high + (1 - share) * low

    def loss(self, output: Tensor, x_0: Tensor, t: Tensor,
             noise: Tensor) -> Tensor:
        """Hybrid loss of every row: noise error plus variational bound.

        Computed in float32 at least, whatever precision the network ran in.

        Args:
            output: Denoiser output at ``add_noise(x_0, t, noise)``, shape
                (N, 2 d): noise estimate, v.
            x_0: Clean tokens, shape (N, d).
            t: Steps, shape (N,), int64.
            noise: The noise in the noisy tokens, shape (N, d).

        Returns:
            Loss, shape (N,); its mean over rows is the training objective.
        """
        if output.dtype in (torch.float16, torch.bfloat16):
            output = output.float()
        estimate, interpolation = output.chunk(2, dim=-1)
        error = (noise - estimate).square().mean(-1)
        # Detached: the bound trains the variance, never the noise estimate.
        bound = self.variational_bound(estimate.detach(), interpolation, x_0,
                                       t, noise)
        return error + bound

    def variational_bound(self, estimate: Tensor, interpolation: Tensor,
                          x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """One term of the variational bound per row, in bits per dimension.

        ``KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))`` for t > 0; at t = 0
        the negative log-likelihood of ``x_0``.

        Args:
            estimate: Noise estimate, shape (N, d).
            interpolation: The network's v, shape (N, d).
            x_0: Clean tokens, shape (N, d).
            t: Steps, shape (N,), int64.
            noise: The noise in the noisy tokens, shape (N, d).

        Returns:
            Bits per dimension, shape (N,).
        """
        log_variance = self.log_variance(interpolation, t)
        # Both means are the same affine function of the noise, so their
        # difference needs neither of them.
        difference = (
            self._at(self.noise_to_mean, t, estimate) * (estimate - noise))
        divergence = gaussian_kl(
            difference, self._at(self.posterior_log_variance, t, estimate),
            log_variance)
        # At t = 0 the mean of p is the predicted x_0: x_0 - difference.
        likelihood = discretized_gaussian_nll(x_0, difference, log_variance)
        nats = torch.where((t == 0)[:, None], likelihood, divergence)
        return nats.mean(-1) / math.log(2)

    @staticmethod
    def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
        """Entries of a table as a column that broadcasts over dimensions."""
        return table[t].to(like.dtype)[:, None]


def gaussian_kl(mean_difference: Tensor, log_variance_q: Tensor,
                log_variance_p: Tensor) -> Tensor:
    """``KL(N(m_q, v_q) || N(m_p, v_p))`` in nats, elementwise.

    Args:
        mean_difference: ``m_q - m_p`` or its negative; it enters squared.
        log_variance_q: ``log v_q``.
        log_variance_p: ``log v_p``.
    """
    return 0.5 * (
        log_variance_p - log_variance_q - 1 +
        (log_variance_q - log_variance_p).exp() + mean_difference.square() *
        (-log_variance_p).exp())


def discretized_gaussian_nll(value: Tensor, deviation: Tensor,
                             log_variance: Tensor) -> Tensor:
    """Negative log of a Gaussian's mass in the bin around ``value``, in nats.

    Bins are 2/255 wide; the outermost ones (beyond +-0.999) are open, so the
    mass of all bins is 1. Elementwise.

    Args:
        value: Where the bin is centred.
        deviation: ``value`` minus the mean of the Gaussian.
        log_variance: Its log variance.
    """
    inverse_std = (-0.5 * log_variance).exp()
    upper = (deviation + HALF_BIN) * inverse_std
    lower = (deviation - HALF_BIN) * inverse_std
    upper = upper.masked_fill(value > OPEN_END, math.inf)
    lower = lower.masked_fill(value < -OPEN_END, -math.inf)
    # The mass between two points of the same tail, taken in the lower tail and
    # by erfc: 1 - cdf would round to 0 in the upper one, and so would the
    # 1 + erf of torch.special.ndtr in both.
    flip = (lower + upper) > 0
    low = torch.where(flip, -upper, lower)
    high = torch.where(flip, -lower, upper)
    mass = 0.5 * (
        torch.erfc(-high * math.sqrt(0.5)) - torch.erfc(-low * math.sqrt(0.5)))
    return -mass.clamp(min=1e-12).log()
