"""Deterministic samplers: the initial noise determines the sample.

They integrate the probability-flow equation of either process,
``dx = x_0(x) d signal + eps(x) d noise``, from the estimates of the clean token and of
the noise, and end on clean data.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..process import DiffusionProcess
from .base import Denoise, Sampler

CLEAN = (1.0, 0.0)  # signal and noise of the data itself


class DeterministicSampler(Sampler):
    """A solver of the probability-flow equation. Its arguments are :class:`Sampler`'s."""

    @torch.no_grad()
    def __call__(
        self,
        process: DiffusionProcess,
        denoise: Denoise,
        noise: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Sample tokens, as in :class:`Sampler`; ``generator`` is not used."""
        return self.integrate(process, denoise, noise)

    def integrate(self, process: DiffusionProcess, denoise: Denoise, x: Tensor) -> Tensor:
        """From noisy tokens ``x`` at the first timestep to clean ones."""
        raise NotImplementedError


class DDIMSampler(DeterministicSampler):
    """DDIM without noise (arXiv 2010.02502): a first-order step.

    On a rectified flow it is Euler's method.

    Args:
        num_steps: Number of denoiser evaluations per token, at least 1. Defaults to 8.
        start_t, guidance_scale: As for :class:`Sampler`.
    """

    default_num_steps = 8

    def integrate(self, process: DiffusionProcess, denoise: Denoise, x: Tensor) -> Tensor:
        timesteps = self.timesteps(process)
        scales = [process.scales_at(t) for t in timesteps[1:]] + [CLEAN]
        for t, (signal, scale) in zip(timesteps, scales, strict=True):
            x_0, noise_estimate = process.estimates(denoise(x, t), x, t)
            x = signal * x_0 + scale * noise_estimate
        return x


class OneStepSampler(DDIMSampler):
    """The posterior mean: what the network expects from pure noise.

    One evaluation per token, so the cheapest; its samples do not vary.

    Args:
        num_steps: Must be 1; accepted so that a config can switch to this sampler.
        start_t: The timestep. None takes the default of the process.
        guidance_scale: Classifier-free guidance scale, at least 0; 1 switches guidance
            off. Defaults to 2.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self, num_steps: int = 1, start_t: float | None = None, guidance_scale: float = 2.0
    ) -> None:
        if num_steps != 1:
            raise ValueError(
                f'num_steps={num_steps} for the one_step sampler; set num_steps=1, or use ddim.'
            )
        super().__init__(num_steps, start_t, guidance_scale)


class DPMSolverPPSampler(DeterministicSampler):
    """DPM-Solver++(2M) (arXiv 2211.01095): a second-order multistep solver.

    One evaluation a step: the clean token is extrapolated from the estimates of this
    step and of the one before, in half the log signal-to-noise ratio. The first and the
    last step are of first order, as nothing comes before and the ratio of clean data is
    infinite.

    Args:
        num_steps: Number of denoiser evaluations per token, at least 1. Defaults to 4.
        start_t, guidance_scale: As for :class:`Sampler`.
    """

    default_num_steps = 4

    def integrate(self, process: DiffusionProcess, denoise: Denoise, x: Tensor) -> Tensor:
        timesteps = self.timesteps(process)
        scales = [process.scales_at(t) for t in timesteps] + [CLEAN]
        past = 0.0
        before: Tensor | None = None
        for i, t in enumerate(timesteps):
            x_0, _ = process.estimates(denoise(x, t), x, t)
            (signal_t, scale_t), (signal, scale) = scales[i], scales[i + 1]
            # exp(-h), h the gain in log(signal / noise); 0 for clean data.
            shrink = (scale * signal_t) / (scale_t * signal)
            gain = -math.log(shrink) if shrink else math.inf
            direction = x_0
            # The first gain of a flow is infinite, and so is the last one.
            if before is not None and math.isfinite(gain) and math.isfinite(past):
                direction = x_0 + gain / (2 * past) * (x_0 - before)
            x = (scale / scale_t) * x + signal * (1 - shrink) * direction
            before, past = x_0, gain
        return x


class MidpointSampler(DeterministicSampler):
    """The explicit midpoint method: second order, two evaluations a step.

    Args:
        num_steps: Number of steps, each with two denoiser evaluations per token, at
            least 1. Defaults to 2.
        start_t, guidance_scale: As for :class:`Sampler`.
    """

    evaluations_per_step = 2
    default_num_steps = 2

    def timesteps(self, process: DiffusionProcess) -> Sequence[float]:
        """The decreasing timesteps of all evaluations: start, middle, start..."""
        timesteps = process.sampling_timesteps(2 * self.num_steps, self.start(process))
        starts = timesteps[::2]
        timesteps[1::2] = map(process.midpoint, starts, [*starts[1:], None])
        return timesteps

    def integrate(self, process: DiffusionProcess, denoise: Denoise, x: Tensor) -> Tensor:
        timesteps = self.timesteps(process)
        scales = [process.scales_at(t) for t in timesteps] + [CLEAN]
        for i in range(0, len(timesteps), 2):
            x_0, noise_estimate = process.estimates(denoise(x, timesteps[i]), x, timesteps[i])
            signal, scale = scales[i + 1]
            middle = signal * x_0 + scale * noise_estimate
            x_0, noise_estimate = process.estimates(
                denoise(middle, timesteps[i + 1]), middle, timesteps[i + 1]
            )
            x = (
                x
                + (scales[i + 2][0] - scales[i][0]) * x_0
                + (scales[i + 2][1] - scales[i][1]) * noise_estimate
            )
        return x
