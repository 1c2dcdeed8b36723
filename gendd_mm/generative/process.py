"""The base of the diffusion processes: noising, predictions, their loss."""

from torch import Tensor, nn

from .precision import at_least_float32
from .timesteps import Timesteps, build_timesteps

PREDICTIONS = ('epsilon', 'x0', 'v')


class DiffusionProcess(nn.Module):
    """A path from data to noise, and what a network estimates along it.

    ``x_t = signal(t) * x_0 + noise(t) * eps``; the network estimates
    ``a * x_0 + b * eps`` with coefficients that its ``prediction`` names. Any such
    estimate and ``x_t`` give both ``x_0`` and ``eps``, which is all that a sampler
    needs.

    It has no parameters. Symbols: ``x_0`` is the clean token, ``x_t`` the noisy one,
    ``eps`` the noise, ``t`` the timestep on a scale up to ``num_timesteps``.

    Args:
        num_timesteps: Length T of the scale of timesteps, at least 2.
        prediction: What the network estimates: ``'epsilon'`` (the noise), ``'x0'``
            (the clean token) or ``'v'`` (the velocity of the path).
        timesteps: Distribution of the training timesteps: an object with ``quantile``,
            or ``dict(type='uniform' | 'logit_normal' | 'shifted', ...)``.

    Attributes:
        default_start: Where samplers start if they are not told.

    Raises:
        ValueError: If an argument is out of range.
    """

    default_start: float

    def __init__(self, num_timesteps: int, prediction: str, timesteps: dict | Timesteps) -> None:
        super().__init__()
        if num_timesteps < 2:
            raise ValueError(
                f'num_timesteps={num_timesteps} is too small; a diffusion process has at least 2 '
                '(default 1000).'
            )
        if prediction not in PREDICTIONS:
            raise ValueError(f'prediction={prediction!r} is unknown; choose from {PREDICTIONS}.')
        self.num_timesteps = num_timesteps
        self.prediction = prediction
        self.timesteps = build_timesteps(timesteps)

    def timesteps_from_quantiles(
        self, quantiles: Tensor, distribution: Timesteps | None = None
    ) -> Tensor:
        """Training timesteps at quantiles in [0, 1), of the same shape.

        Args:
            quantiles: Uniform numbers draw timesteps from the distribution.
            distribution: Distribution of the noise fraction. None takes the process's
                own.
        """
        raise NotImplementedError

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``signal(t)`` and ``noise(t)``, each of the shape of ``t``."""
        raise NotImplementedError

    def scales_at(self, t: float) -> tuple[float, float]:
        """``signal(t)`` and ``noise(t)`` of one timestep."""
        raise NotImplementedError

    def velocity_coefficients(self, signal: float | Tensor, noise: float | Tensor) -> tuple:
        """Coefficients (a, b) of what ``prediction='v'`` estimates."""
        raise NotImplementedError

    def sampling_timesteps(self, num_steps: int, start_t: float) -> list[float]:
        """``num_steps`` decreasing timesteps from ``start_t``, then clean data.

        Evenly spaced. Clean data needs no evaluation and is not listed.

        Raises:
            ValueError: If ``num_steps`` or ``start_t`` is out of range.
        """
        raise NotImplementedError

    def midpoint(self, t: float, after: float | None) -> float:
        """The timestep halfway between two, from which a step is second order.

        Args:
            t: The noisier timestep.
            after: The other one; None is clean data.
        """
        raise NotImplementedError

    def output_dim(self, token_dim: int) -> int:
        """Output channels of the denoiser for a token of ``token_dim``."""
        return token_dim

    def add_noise(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """``x_t = signal(t) * x_0 + noise(t) * eps``.

        Args:
            x_0: Clean tokens, shape (..., N, d).
            t: Timesteps, shape (N,).
            noise: Standard normal, shape (..., N, d).

        Returns:
            Noisy tokens, shape (..., N, d).
        """
        signal, scale = self._columns(t, noise)
        return signal * x_0 + scale * noise

    def prediction_target(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """What the network should estimate; shapes as in ``add_noise``."""
        if self.prediction == 'epsilon':
            return noise
        if self.prediction == 'x0':
            return x_0.expand_as(noise)
        of_x_0, of_noise = self.velocity_coefficients(*self._columns(t, noise))
        return of_x_0 * x_0 + of_noise * noise

    def estimates(self, output: Tensor, x_t: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Recover the clean token and the noise from an output.

        Args:
            output: The network's estimate, shape (..., d).
            x_t: Noisy tokens, shape (..., d).
            t: The timestep of all of them.

        Returns:
            Estimates of ``x_0`` and of the noise, shape (..., d).
        """
        signal, scale = self.scales_at(t)
        of_x_0, of_noise = self._coefficients(signal, scale)
        # x_t = signal x_0 + scale eps, output = of_x_0 x_0 + of_noise eps
        determinant = of_noise * signal - of_x_0 * scale
        x_0 = (of_noise * x_t - scale * output) / determinant
        noise = (signal * output - of_x_0 * x_t) / determinant
        return x_0, noise

    def loss(self, output: Tensor, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Squared error of every row's estimate.

        Computed in float32 at least, whatever precision the network ran in.

        Args:
            output: Denoiser output at ``add_noise(x_0, t, noise)``, shape (..., N, d).
            x_0: Clean tokens, shape (..., N, d).
            t: Timesteps, shape (N,).
            noise: The noise in the noisy tokens, shape (..., N, d).

        Returns:
            Loss, shape (..., N); its mean over rows is the training objective.
        """
        target = self.prediction_target(x_0, t, noise)
        return (target - at_least_float32(output)).square().mean(-1)

    def _coefficients(self, signal: float | Tensor, noise: float | Tensor) -> tuple:
        """(a, b) of the estimated ``a * x_0 + b * eps``."""
        if self.prediction == 'v':
            return self.velocity_coefficients(signal, noise)
        return (0.0, 1.0) if self.prediction == 'epsilon' else (1.0, 0.0)

    def _columns(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Scales that broadcast over dimensions, in the dtype of ``like``."""
        signal, noise = self.scales(t)
        return signal.to(like.dtype)[..., None], noise.to(like.dtype)[..., None]
