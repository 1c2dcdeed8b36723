"""The diffusion process of GenDD in diffusers, an independent reference."""

from unittest import mock

import pytest
import torch
from diffusers import DDPMScheduler


@pytest.fixture
def scheduler() -> DDPMScheduler:
    """DDPM with the cosine schedule and a learned range of variances.

    diffusers makes its tables in float32; here it is told that float64 is
    meant, so that they can be compared to the last digits.
    """
    with mock.patch.object(torch, 'float32', torch.float64):
        scheduler = DDPMScheduler(
            beta_schedule='squaredcos_cap_v2',
            variance_type='learned_range',
            clip_sample=False)
    assert scheduler.alphas_cumprod.dtype == torch.float64
    return scheduler
