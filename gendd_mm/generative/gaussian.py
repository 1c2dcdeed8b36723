"""Gaussian diffusion with a learned variance: noising and the hybrid loss."""

import math

import torch
from torch import Tensor

from .precision import at_least_float32
from .process import DiffusionProcess
from .schedules import BETAS, NoiseSchedule
from .timesteps import Timesteps

# The token values count as quantised to 256 levels in [-1, 1], as in the image
# diffusion models that the hybrid loss comes from; half a bin is 1/255.
HALF_BIN = 1 / 255
OPEN_END = 0.999


class GaussianDiffusion(DiffusionProcess):
    """DDPM noising process, noise prediction, learned-range variance.

    The process of GenDD (arXiv 2507.14503, method section), which follows improved DDPM
    (arXiv 2102.09672): the network gives the noise estimate and an interpolation
    between the two extreme log variances; the loss is the squared error of the noise
    plus the variational bound, whose gradient reaches the variance only.

    It has no parameters. Symbols: ``x_0`` is the clean token, ``x_t`` the noisy one,
    ``t`` the timestep in [0, num_timesteps).

    Args:
        num_timesteps: Number of diffusion steps T, at least 2. Defaults to 1000.
        schedule: ``'cosine'`` or ``'linear'``. Defaults to ``'cosine'``.
        prediction: ``'epsilon'``, ``'x0'`` or ``'v'`` (arXiv 2202.00512). Defaults to
            ``'epsilon'``, as in the paper.
        learned_variance: Whether the network gives the variance too, which only the
            ancestral sampler uses. Without it the output layer is half as wide and the
            loss has no variational bound. Defaults to True, as in the paper.
        timesteps: Distribution of the training timesteps, see
            :mod:`gendd_mm.generative.timesteps`. Defaults to uniform.

    Raises:
        ValueError: If an argument is out of range.
    """

    signal_scale: Tensor
    noise_scale: Tensor
    log_beta: Tensor
    posterior_log_variance: Tensor
    noise_to_mean: Tensor

    def __init__(
        self,
        num_timesteps: int = 1000,
        schedule: str = 'cosine',
        prediction: str = 'epsilon',
        learned_variance: bool = True,
        timesteps: dict | Timesteps = dict(type='uniform'),
    ) -> None:
        super().__init__(num_timesteps, prediction, timesteps)
        if schedule not in BETAS:
            raise ValueError(f'schedule={schedule!r} is unknown; choose from {sorted(BETAS)}.')
        self.learned_variance = learned_variance
        self.schedule = NoiseSchedule(BETAS[schedule](num_timesteps))
        # The last timestep keeps too little signal to start from; see
        # AncestralSampler.
        self.default_start = round(0.95 * num_timesteps)
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
            # Not saved: they follow from the arguments.
            self.register_buffer(name, table.to(torch.get_default_device()), persistent=False)
        # Numbers, so that a sampler neither waits for a device nor breaks a compiled graph.
        self._alpha_bar: list[float] = alpha_bar.tolist()

    def output_dim(self, token_dim: int) -> int:
        """Output channels of the denoiser for a token of ``token_dim``."""
        return 2 * token_dim if self.learned_variance else token_dim

    def timesteps_from_quantiles(
        self, quantiles: Tensor, distribution: Timesteps | None = None
    ) -> Tensor:
        """Training timesteps in [0, num_timesteps), int64."""
        fractions = (distribution or self.timesteps).quantile(quantiles)
        return (self.num_timesteps * fractions).long().clamp(max=self.num_timesteps - 1)

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``sqrt(abar_t)`` and ``sqrt(1 - abar_t)``, shapes of ``t``."""
        return self.signal_scale[t], self.noise_scale[t]

    def scales_at(self, t: float) -> tuple[float, float]:
        """``sqrt(abar_t)`` and ``sqrt(1 - abar_t)`` of one timestep."""
        alpha_bar = self._alpha_bar[int(t)]
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)

    def velocity_coefficients(self, signal: float | Tensor, noise: float | Tensor) -> tuple:
        """``sqrt(abar_t) eps - sqrt(1 - abar_t) x_0`` (arXiv 2202.00512)."""
        return -noise, signal

    def sampling_timesteps(self, num_steps: int, start_t: float) -> list[float]:
        """``num_steps`` decreasing timesteps from ``start_t``, then clean data."""
        self.check_start(start_t)
        if not 1 <= num_steps <= start_t:
            raise ValueError(
                f'num_steps={num_steps} sampling steps cannot be spread over the diffusion steps '
                f'1..{start_t}; use a number from 1 to {start_t}.'
            )
        return [round(start_t * (1 - i / num_steps)) for i in range(num_steps)]

    def midpoint(self, t: float, after: float | None) -> int:
        """The timestep whose angle between signal and noise is halfway.

        Signal and noise are its cosine and sine, so they are smooth in it. Near clean
        data they are not smooth in the timestep: the cosine schedule has an offset.
        """
        angles = self.schedule.alpha_bar.sqrt().acos()
        halfway = (angles[int(t)] + (0 if after is None else angles[int(after)])) / 2
        return int((angles - halfway).abs().argmin())

    def check_start(self, start_t: float) -> None:
        """Raise ValueError if ``start_t`` is not a timestep."""
        if not 0 <= start_t < self.num_timesteps or start_t != int(start_t):
            raise ValueError(
                f'start_t={start_t} is not a timestep of the diffusion process, which has '
                f'{self.num_timesteps} (0 to {self.num_timesteps - 1}); the default is '
                f'{self.default_start}.'
            )

    def log_variance(self, interpolation: Tensor, t: Tensor) -> Tensor:
        """Log variance of the learned reverse step (arXiv 2102.09672, eq. 15).

        Args:
            interpolation: The network's v, shape (..., N, d): 1 gives log beta_t, -1
                the log posterior variance, others interpolate.
            t: Timesteps, shape (N,), int64.

        Returns:
            Log variance, shape (..., N, d).
        """
        high = self._at(self.log_beta, t, interpolation)
        low = self._at(self.posterior_log_variance, t, interpolation)
        share = (interpolation + 1) / 2
        return share * high + (1 - share) * low

    def loss(self, output: Tensor, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Hybrid loss of every row: squared error plus variational bound.

        Computed in float32 at least, whatever precision the network ran in.

        Args:
            output: Denoiser output at ``add_noise(x_0, t, noise)``, shape
                (..., N, 2 d): estimate, v; (..., N, d) without a learned variance.
            x_0: Clean tokens, shape (..., N, d).
            t: Timesteps, shape (N,), int64.
            noise: The noise in the noisy tokens, shape (..., N, d).

        Returns:
            Loss, shape (..., N); its mean over rows is the training objective.
        """
        if not self.learned_variance:
            return super().loss(output, x_0, t, noise)
        estimate, interpolation = at_least_float32(output).chunk(2, dim=-1)
        error = self.prediction_target(x_0, t, noise) - estimate
        # Detached: the bound trains the variance, never the estimate.
        deviation = self._noise_deviation(error.detach(), t)
        bound = self.variational_bound(deviation, interpolation, x_0, t)
        return error.square().mean(-1) + bound

    def _noise_deviation(self, error: Tensor, t: Tensor) -> Tensor:
        """Noise minus its estimate, from the error of what is predicted."""
        if self.prediction == 'epsilon':
            return error
        # At a given x_t all estimates are affine in each other.
        signal, scale = self._columns(t, error)
        of_x_0, of_noise = self._coefficients(signal, scale)
        return signal / (of_noise * signal - of_x_0 * scale) * error

    def variational_bound(
        self, deviation: Tensor, interpolation: Tensor, x_0: Tensor, t: Tensor
    ) -> Tensor:
        """One term of the variational bound per row, in bits per dimension.

        ``KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))`` for t > 0; at t = 0 the
        negative log-likelihood of ``x_0``.

        Args:
            deviation: Noise minus the noise estimate, shape (..., N, d).
            interpolation: The network's v, shape (..., N, d).
            x_0: Clean tokens, shape (..., N, d).
            t: Timesteps, shape (N,), int64.

        Returns:
            Bits per dimension, shape (..., N).
        """
        log_variance = self.log_variance(interpolation, t)
        # Both means are the same affine function of the noise, so their
        # difference needs neither of them.
        difference = self._at(self.noise_to_mean, t, deviation) * -deviation
        divergence = gaussian_kl(
            difference, self._at(self.posterior_log_variance, t, deviation), log_variance
        )
        # At t = 0 the mean of p is the predicted x_0: x_0 - difference.
        likelihood = discretized_gaussian_nll(x_0, difference, log_variance)
        nats = torch.where((t == 0)[:, None], likelihood, divergence)
        return nats.mean(-1) / math.log(2)

    @staticmethod
    def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
        """Entries of a table as a column that broadcasts over dimensions."""
        return table[t].to(like.dtype)[:, None]


def gaussian_kl(mean_difference: Tensor, log_variance_q: Tensor, log_variance_p: Tensor) -> Tensor:
    """``KL(N(m_q, v_q) || N(m_p, v_p))`` in nats, elementwise.

    Args:
        mean_difference: ``m_q - m_p`` or its negative; it enters squared.
        log_variance_q: ``log v_q``.
        log_variance_p: ``log v_p``.
    """
    return 0.5 * (
        log_variance_p
        - log_variance_q
        - 1
        + (log_variance_q - log_variance_p).exp()
        + mean_difference.square() * (-log_variance_p).exp()
    )


def discretized_gaussian_nll(value: Tensor, deviation: Tensor, log_variance: Tensor) -> Tensor:
    """Negative log of a Gaussian's mass in the bin around ``value``, in nats.

    Bins are 2/255 wide; the outermost ones (beyond +-0.999) are open, so the mass of
    all bins is 1. Elementwise.

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
    # Both points are mirrored into the lower tail. In the upper one 1 - cdf
    # would round to 0; torch.special.ndtr, which is 1 + erf, rounds to 0 in
    # both, erfc does not.
    flip = (lower + upper) > 0
    low = torch.where(flip, -upper, lower)
    high = torch.where(flip, -lower, upper)
    mass = 0.5 * (torch.erfc(-high * math.sqrt(0.5)) - torch.erfc(-low * math.sqrt(0.5)))
    return -mass.clamp(min=1e-12).log()
