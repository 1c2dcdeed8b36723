"""The base of the samplers: their arguments and how they call the network."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..process import DiffusionProcess

# (noisy tokens (..., d), timestep) -> denoiser output (..., c) in which the
# estimate comes first; the variance follows only for a sampler that uses
# it.
Denoise = Callable[[Tensor, float], Tensor]


def guide(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans, arXiv 2207.12598).

    ``null + scale * (conditional - null)`` on the estimate; the channels after it
    (the variance) are the conditional ones. Noise, clean token and velocity are affine
    in each other, so guiding one guides all.

    Args:
        conditional: Denoiser output with the condition, shape (..., c).
        unconditional: Estimate without it, shape (..., d), d <= c.
        scale: Guidance scale; 1 is the conditional estimate alone.

    Returns:
        Guided output, shape (..., c).
    """
    token_dim = unconditional.size(-1)
    estimate, rest = conditional.split([token_dim, conditional.size(-1) - token_dim], dim=-1)
    guided = torch.lerp(unconditional, estimate, scale)
    return torch.cat([guided, rest], dim=-1) if rest.size(-1) else guided


class Sampler:
    """From noise back to tokens.

    A sampler knows the process and asks for the denoiser's output at noisy tokens and a
    timestep; it never sees conditions or images.

    Args:
        num_steps: Number of steps, at least 1. None takes ``default_num_steps``.
        start_t: Noisiest timestep visited. None takes the default of the process (950
            of 1,000 for Gaussian diffusion, the end of a rectified flow).
        guidance_scale: Classifier-free guidance scale, at least 0; 1 switches guidance
            off. Defaults to 2.

    Attributes:
        uses_variance: Whether it needs the variance channels.
        evaluations_per_step: Denoiser evaluations in a step.
        default_num_steps: Number of steps if none is given.

    Raises:
        ValueError: If an argument is out of range.
    """

    uses_variance = False
    evaluations_per_step = 1
    default_num_steps: int

    def __init__(
        self,
        num_steps: int | None = None,
        start_t: float | None = None,
        guidance_scale: float = 2.0,
    ) -> None:
        if guidance_scale < 0:
            raise ValueError(
                f'guidance_scale={guidance_scale} is negative; '
                'use 1 for no guidance, 2 for the default.'
            )
        if num_steps is None:
            num_steps = self.default_num_steps
        if num_steps < 1:
            raise ValueError(f'num_steps={num_steps} sampling steps are too few; use at least 1.')
        self.num_steps = num_steps
        self.start_t = start_t
        self.guidance_scale = guidance_scale

    def timesteps(self, process: DiffusionProcess) -> Sequence[float]:
        """The decreasing timesteps that it visits.

        Raises:
            ValueError: If they do not fit the process.
        """
        return process.sampling_timesteps(self.num_steps, self.start(process))

    def start(self, process: DiffusionProcess) -> float:
        """The noisiest timestep."""
        if self.start_t is None:
            return process.default_start
        return self.start_t

    @torch.no_grad()
    def __call__(
        self,
        process: DiffusionProcess,
        denoise: Denoise,
        noise: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Sample tokens.

        Args:
            process: The process that the denoiser was trained with.
            denoise: Guided denoiser output at noisy tokens and a timestep.
            noise: Standard normal start, shape (..., d).
            generator: Source of the noise of the later steps.

        Returns:
            Sampled tokens, shape (..., d).
        """
        raise NotImplementedError
