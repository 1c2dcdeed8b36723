"""Normal data, for which the best denoiser and its samples are formulas."""

from torch import Tensor

from gendd_mm.generative import DiffusionProcess, GaussianDiffusion


class GaussianData:
    """Tokens whose entries are independent, of one mean and deviation.

    Args:
        process: What they are noised with.
        mean: Mean, a number or one for each entry.
        std: Standard deviation; 0 is a point mass.
    """

    def __init__(self, process: DiffusionProcess, mean, std: float) -> None:
        self.process = process
        self.mean = mean
        self.std = std

    def posterior_mean(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """``E[x_0 | x_t]`` and ``E[noise | x_t]``."""
        signal, noise = self.process.scales_at(t)
        variance = signal**2 * self.std**2 + noise**2
        innovation = (x - signal * self.mean) / variance
        return (self.mean + signal * self.std**2 * innovation, noise * innovation)

    def denoise(self, x: Tensor, t: float) -> Tensor:
        """What a perfect network gives, without a variance."""
        x_0, noise = self.posterior_mean(x, t)
        signal, scale = self.process.scales_at(t)
        of_gaussian = isinstance(self.process, GaussianDiffusion)
        velocity = signal * noise - scale * x_0 if of_gaussian else noise - x_0
        return dict(x0=x_0, epsilon=noise, v=velocity)[self.process.prediction]

    def end_of_flow(self, x: Tensor, t: float) -> Tensor:
        """Where the probability-flow equation leads from ``x`` at ``t``.

        It is monotone, so it keeps the distance from the mean in standard
        deviations.
        """
        signal, noise = self.process.scales_at(t)
        std = (signal**2 * self.std**2 + noise**2) ** 0.5
        return self.mean + self.std * (x - signal * self.mean) / std
