"""The diffusion process of GenDD in diffusers, and rows to try it on."""

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from diffusers import DDPMScheduler


@pytest.fixture
def ddpm() -> Callable[..., DDPMScheduler]:
    """DDPM with the cosine schedule, given the settings it differs in.

    diffusers makes its tables in float32; here it is told that float64 is
    meant, so that they can be compared to the last digits.
    """

    def build(**settings) -> DDPMScheduler:
        with mock.patch.object(torch, 'float32', torch.float64):
            scheduler = DDPMScheduler(
                beta_schedule='squaredcos_cap_v2', clip_sample=False, **settings
            )
        assert scheduler.alphas_cumprod.dtype == torch.float64
        return scheduler

    return build


@pytest.fixture
def scheduler(ddpm) -> DDPMScheduler:
    """DDPM with a learned range of variances."""
    return ddpm(variance_type='learned_range')


@pytest.fixture
def steps() -> torch.Tensor:
    """The ends, their neighbours, the middle."""
    return torch.tensor([0, 1, 2, 500, 950, 998, 999])


@pytest.fixture
def rows(steps) -> tuple:
    """x_0, noise, noise estimate and v of one row per step, float64."""
    x_0, noise, mistake, v = torch.randn(4, len(steps), 4).double()
    return x_0, noise, noise + 0.3 * mistake, v
