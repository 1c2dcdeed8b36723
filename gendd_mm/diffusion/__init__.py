"""Diffusion mathematics in plain torch, without any OpenMMLab import."""

from .gaussian import GaussianDiffusion
from .process import DiffusionProcess, widened
from .rectified_flow import RectifiedFlow
from .samplers import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    MidpointSampler,
    OneStepSampler,
    Sampler,
    guide,
)
from .schedules import NoiseSchedule, cosine_betas, linear_betas, spaced_steps
from .timesteps import LogitNormalTimesteps, ShiftedTimesteps, UniformTimesteps, build_timesteps

__all__ = [
    'AncestralSampler',
    'DDIMSampler',
    'DPMSolverPPSampler',
    'DiffusionProcess',
    'GaussianDiffusion',
    'LogitNormalTimesteps',
    'MidpointSampler',
    'NoiseSchedule',
    'OneStepSampler',
    'RectifiedFlow',
    'Sampler',
    'ShiftedTimesteps',
    'UniformTimesteps',
    'build_timesteps',
    'cosine_betas',
    'guide',
    'linear_betas',
    'spaced_steps',
    'widened',
]
