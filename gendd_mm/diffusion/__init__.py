"""Diffusion mathematics in plain torch, without any OpenMMLab import."""
from .gaussian import GaussianDiffusion
from .samplers import AncestralSampler, guide
from .schedules import NoiseSchedule, cosine_betas, linear_betas, spaced_steps

__all__ = [
    'AncestralSampler', 'GaussianDiffusion', 'NoiseSchedule', 'cosine_betas',
    'guide', 'linear_betas', 'spaced_steps'
]
