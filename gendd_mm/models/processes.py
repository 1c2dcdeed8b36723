"""The registry names of the diffusion processes and samplers.

They are registered here because ``gendd_mm.diffusion`` is plain torch and
imports nothing of OpenMMLab.
"""
from gendd_mm.diffusion import AncestralSampler, GaussianDiffusion
from gendd_mm.registry import MODELS, TASK_UTILS

MODELS.register_module(module=GaussianDiffusion)
TASK_UTILS.register_module(name='ancestral', module=AncestralSampler)
