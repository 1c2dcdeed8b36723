"""Ancestral sampling: the reverse chain of DDPM, noise at every step."""

import torch
from torch import Tensor

from ..gaussian import GaussianDiffusion
from ..process import DiffusionProcess
from ..schedules import spaced_timesteps
from .base import Denoise, Sampler


class AncestralSampler(Sampler):
    """Ancestral DDPM sampling on evenly spaced steps, without clipping.

    The reference sampler of GenDD (arXiv 2507.14503): the reverse step of DDPM with the
    learned variance, on the respaced schedule of improved DDPM (arXiv 2102.09672,
    section 4). Without a learned variance it takes the posterior's.

    ``start_t`` is where it starts from pure noise. The paper's setting is the last
    timestep, 999. It is fragile: the cosine schedule keeps ``sqrt(abar) = 5e-5`` of the
    signal there, so the first step multiplies every error of the noise estimate by
    about 20,000 and the sample never recovers. At 950 less
    than 0.6 % of the variance is signal, so pure noise is as good a start, and the
    factor is 13.

    Args:
        num_steps: Number of denoiser evaluations per token, in [1, start_t + 1].
            Defaults to 64 (ImageNet; CIFAR uses 100).
        start_t: Noisiest timestep visited, in [0, process.num_timesteps). None is 95 %
            of the scale, 950 of 1,000; 999 is the paper's.
        guidance_scale: Classifier-free guidance scale, at least 0; 1 switches guidance
            off. Defaults to 2.

    Raises:
        ValueError: If an argument is out of range.
    """

    uses_variance = True
    default_num_steps = 64

    def timesteps(self, process: DiffusionProcess) -> list[int]:
        """The decreasing timesteps that it visits, the last of them 0.

        Raises:
            ValueError: If they do not fit the process, or it is not a Gaussian
                diffusion.
        """
        gaussian = _as_gaussian(process)
        start = self.start(gaussian)
        gaussian.check_start(start)
        return spaced_timesteps(self.num_steps, int(start))[::-1]

    @torch.no_grad()
    def __call__(
        self,
        process: DiffusionProcess,
        denoise: Denoise,
        noise: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        process = _as_gaussian(process)
        timesteps = self.timesteps(process)
        schedule = process.schedule.respace(timesteps[::-1])
        log_beta = schedule.betas.log()

        def number(value: Tensor) -> Tensor:
            # Made on the device: a copy from the CPU would synchronise.
            return torch.full((), float(value), dtype=x.dtype, device=x.device)

        x = noise
        for i, t in zip(reversed(range(len(timesteps))), timesteps, strict=True):
            output = denoise(x, t)
            estimate, interpolation = output.split(
                [x.size(-1), output.size(-1) - x.size(-1)], dim=-1
            )
            _, noise_estimate = process.estimates(estimate, x, t)
            beta = float(schedule.betas[i])
            alpha_bar = float(schedule.alpha_bar[i])
            noise_scale = beta / (1 - alpha_bar) ** 0.5
            x = (x - noise_scale * noise_estimate) / (1 - beta) ** 0.5
            if i == 0:
                break
            log_variance = number(schedule.posterior_log_variance[i])
            if process.learned_variance:
                share = (interpolation + 1) / 2
                log_variance = torch.lerp(log_variance, number(log_beta[i]), share)
            fresh = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
            x = x + (0.5 * log_variance).exp() * fresh
        return x


def _as_gaussian(process: DiffusionProcess) -> GaussianDiffusion:
    if not isinstance(process, GaussianDiffusion):
        raise ValueError(
            'the ancestral sampler reverses a GaussianDiffusion; for a '
            f'{type(process).__name__} use ddim, dpmpp_2m, midpoint or one_step.'
        )
    return process
