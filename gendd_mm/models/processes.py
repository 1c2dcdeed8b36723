"""The registry names of the diffusion processes and samplers.

They are registered here because ``gendd_mm.diffusion`` is plain torch and
imports nothing of OpenMMLab.
"""

from gendd_mm.diffusion import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    GaussianDiffusion,
    MidpointSampler,
    OneStepSampler,
    RectifiedFlow,
)
from gendd_mm.registry import MODELS, TASK_UTILS

MODELS.register_module(module=GaussianDiffusion)
MODELS.register_module(module=RectifiedFlow)

TASK_UTILS.register_module(name='ancestral', module=AncestralSampler)
# On a rectified flow, DDIM is Euler's method.
TASK_UTILS.register_module(name=['ddim', 'euler'], module=DDIMSampler)
TASK_UTILS.register_module(name='dpmpp_2m', module=DPMSolverPPSampler)
TASK_UTILS.register_module(name='midpoint', module=MidpointSampler)
TASK_UTILS.register_module(name='one_step', module=OneStepSampler)
