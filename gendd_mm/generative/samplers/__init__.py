"""Samplers: from noise back to tokens, and classifier-free guidance."""

from .ancestral import AncestralSampler
from .base import Denoise, Sampler, guide
from .deterministic import DDIMSampler, DPMSolverPPSampler, MidpointSampler, OneStepSampler

__all__ = [
    'AncestralSampler',
    'DDIMSampler',
    'DPMSolverPPSampler',
    'Denoise',
    'MidpointSampler',
    'OneStepSampler',
    'Sampler',
    'guide',
]
