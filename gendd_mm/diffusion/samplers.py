"""Samplers: from noise back to tokens, and classifier-free guidance.

A sampler knows the process and asks for the denoiser's output at a noisy
token and a step; it never sees conditions or images.
"""
from typing import Callable, Optional

import torch
from torch import Tensor

from .gaussian import GaussianDiffusion
from .schedules import spaced_steps

# (noisy tokens (N, d), step) -> denoiser output (N, process.output_dim(d))
Denoise = Callable[[Tensor, int], Tensor]


def guide(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans, arXiv 2207.12598).

    ``eps_null + scale * (eps_cond - eps_null)`` on the noise estimate; the
    channels behind it (the variance) are the conditional ones.

    Args:
        conditional: Denoiser output with the condition, shape (N, c).
        unconditional: Noise estimate without it, shape (N, d), d <= c.
        scale: Guidance scale; 1 is the conditional estimate alone.

    Returns:
        Guided output, shape (N, c).
    """
    token_dim = unconditional.size(-1)
    estimate, rest = conditional.split(
        [token_dim, conditional.size(-1) - token_dim], dim=-1)
    guided = torch.lerp(unconditional, estimate, scale)
    return torch.cat([guided, rest], dim=-1)


class AncestralSampler:
    """Ancestral DDPM sampling on evenly spaced steps, without clipping.

    The reference sampler of GenDD (arXiv 2507.14503): the reverse step of
    DDPM with the learned variance, on the respaced schedule of improved DDPM
    (arXiv 2102.09672, section 4).

    ``start_t`` is where it starts from pure noise. The paper's setting is the
    last step, 999. It is fragile: the cosine schedule keeps
    ``sqrt(abar) = 5e-5`` of the signal there, so the first step multiplies
    every error of the noise estimate by about 20,000 and the sample never
    returns from where that throws it. At 950 less than 0.6 % of the
    variance is signal, so pure noise is as good a start, and the factor is 13.

    Args:
        num_steps: Number of denoiser evaluations per token, in
            [1, start_t + 1]. Defaults to 64 (ImageNet; CIFAR uses 100).
        start_t: Noisiest step visited, in [0, process.num_steps). Defaults to
            950; 999 is the paper's.
        guidance_scale: Classifier-free guidance scale, at least 0; 1 switches
            guidance off. Defaults to 2.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self,
                 num_steps: int = 64,
                 start_t: int = 950,
                 guidance_scale: float = 2.0) -> None:
        if guidance_scale < 0:
            raise ValueError(f'guidance_scale={guidance_scale} is negative; '
                             'use 1 for no guidance, 2 for the default.')
        if start_t < 0:
            raise ValueError(f'start_t={start_t} is negative; use a diffusion '
                             'step, for example 950 of 1000.')
        self.steps = spaced_steps(num_steps, start_t)
        self.start_t = start_t
        self.guidance_scale = guidance_scale

    @torch.no_grad()
    def __call__(self,
                 process: GaussianDiffusion,
                 denoise: Denoise,
                 noise: Tensor,
                 generator: Optional[torch.Generator] = None) -> Tensor:
        """Sample tokens.

        Args:
            process: The process that the denoiser was trained with.
            denoise: Guided denoiser output at noisy tokens and a step.
            noise: Standard normal start, shape (N, d).
            generator: Source of the noise of the later steps.

        Returns:
            Sampled tokens, shape (N, d).

        Raises:
            ValueError: If ``start_t`` is not a step of the process.
        """
        if self.start_t >= process.num_steps:
            raise ValueError(f'start_t={self.start_t} is not a step of the '
                             f'diffusion process, which has '
                             f'{process.num_steps} (0 to '
                             f'{process.num_steps - 1}).')
        schedule = process.schedule.respace(self.steps)
        log_beta = schedule.betas.log()
        x = noise
        for i in reversed(range(len(schedule))):
            # The network may have run in half precision; a step does not.
            output = denoise(x, self.steps[i]).to(x.dtype)
            estimate, interpolation = output.chunk(2, -1)
            beta = float(schedule.betas[i])
            alpha_bar = float(schedule.alpha_bar[i])
            noise_scale = beta / (1 - alpha_bar)**0.5
            mean = (x - noise_scale * estimate) / (1 - beta)**0.5
            if i == 0:
                return mean
            share = (interpolation + 1) / 2
            log_variance = (
                share * float(log_beta[i]) +
                (1 - share) * float(schedule.posterior_log_variance[i]))
            x = mean + (0.5 * log_variance).exp() * torch.randn(
                x.shape, dtype=x.dtype, device=x.device, generator=generator)
