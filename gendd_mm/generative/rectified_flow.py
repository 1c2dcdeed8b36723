"""Rectified flow: straight paths from data to noise."""

from torch import Tensor

from .process import DiffusionProcess
from .timesteps import Timesteps


class RectifiedFlow(DiffusionProcess):
    """Straight-line process with velocity prediction (arXiv 2209.03003).

    ``x_t = (1 - s) x_0 + s eps`` with ``s = t / num_timesteps`` in [0, 1]; the velocity
    ``dx/ds = eps - x_0`` is constant along a path, so few steps of Euler's method (the
    ``'ddim'`` sampler, also named ``'euler'``) or of the midpoint method go far.

    Timesteps are continuous, on the scale of :class:`GaussianDiffusion`, so that the
    denoiser's time embedding sees the same range.

    Args:
        num_timesteps: Length T of the scale of timesteps, at least 2. Defaults to 1000.
        prediction: ``'epsilon'``, ``'x0'`` or ``'v'`` (the velocity). Defaults to
            ``'v'``.
        timesteps: Distribution of the training timesteps, see
            :mod:`gendd_mm.generative.timesteps`. Defaults to uniform.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_timesteps: int = 1000,
        prediction: str = 'v',
        timesteps: dict | Timesteps = dict(type='uniform'),
    ) -> None:
        super().__init__(num_timesteps, prediction, timesteps)
        # Pure noise is the end of this path. There the noise says nothing
        # about x_0.
        self.default_start = float(num_timesteps)
        if prediction == 'epsilon':
            self.default_start *= 0.95

    def timesteps_from_quantiles(
        self, quantiles: Tensor, distribution: Timesteps | None = None
    ) -> Tensor:
        """Training timesteps in [0, num_timesteps], floating point."""
        return self.num_timesteps * (distribution or self.timesteps).quantile(quantiles)

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``1 - s`` and ``s``, each of the shape of ``t``."""
        share = t / self.num_timesteps
        return 1 - share, share

    def scales_at(self, t: float) -> tuple[float, float]:
        """``1 - s`` and ``s`` of one timestep."""
        share = t / self.num_timesteps
        return 1 - share, share

    def velocity_coefficients(self, signal: float | Tensor, noise: float | Tensor) -> tuple:
        """``eps - x_0``."""
        return -1.0, 1.0

    def sampling_timesteps(self, num_steps: int, start_t: float) -> list[float]:
        """``num_steps`` evenly spaced timesteps from ``start_t`` towards 0."""
        end = self.num_timesteps if self.prediction != 'epsilon' else self.default_start
        if not 0 < start_t <= end:
            raise ValueError(
                f'start_t={start_t} is outside (0, {end:g}], where a rectified flow with '
                f'prediction={self.prediction!r} can start; the default is {self.default_start:g}.'
            )
        return [start_t * (1 - i / num_steps) for i in range(num_steps)]

    def midpoint(self, t: float, after: float | None) -> float:
        """The mean of the timesteps."""
        return (t + (after or 0.0)) / 2
