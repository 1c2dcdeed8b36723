"""Generative Distribution Distillation in plain torch (arXiv 2507.14503).

The method alone: it needs torch and nothing of OpenMMLab. Loss and head are one module,
for any training loop:

>>> import torch
>>> from gendd_mm.generative import DistributionContraction, GenDDLoss, GenerativeHead
>>> student, classifier = torch.nn.Linear(32, 8), torch.nn.Linear(128, 10)  # stand-ins
>>> images, teacher_feature = torch.randn(4, 32), torch.randn(4, 128)
>>> labels = torch.tensor([0, 3, 9, 3])
>>> norm = torch.nn.LayerNorm(8)
>>> gendd = GenDDLoss(GenerativeHead(condition_dim=8, target_dim=128), DistributionContraction())
>>> condition = norm(student(images))
>>> loss = gendd(condition, teacher_feature, labels, classifier.weight)
>>> loss.backward()  # trains student, norm and head: give all three to the optimizer
>>> scores = classifier(gendd.head.sample(condition, num_draws=2).mean(0))  # the generative path
>>> scores.shape
torch.Size([4, 10])
"""

from .centers import ClassifierCenters, FeatureMeanCenters
from .contraction import DistributionContraction
from .denoiser import TokenDenoiser
from .dense import MapsToRows
from .feature_mixup import FeatureMixup
from .gaussian import GaussianDiffusion
from .head import GenerativeHead
from .linear import use_onednn
from .linear_head import LinearRegressionHead
from .loss import GenDDLoss
from .mean_residual import MeanResidualHead
from .precision import at_least_float32
from .process import DiffusionProcess
from .rectified_flow import RectifiedFlow
from .regression_head import RegressionHead
from .samplers import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    MidpointSampler,
    OneStepSampler,
    Sampler,
    guide,
)
from .schedules import NoiseSchedule
from .timesteps import LogitNormalTimesteps, ShiftedTimesteps, UniformTimesteps
from .tokenizer import SplitTokenizer

__all__ = [
    'AncestralSampler',
    'ClassifierCenters',
    'DDIMSampler',
    'DPMSolverPPSampler',
    'DiffusionProcess',
    'DistributionContraction',
    'FeatureMeanCenters',
    'FeatureMixup',
    'GaussianDiffusion',
    'GenDDLoss',
    'GenerativeHead',
    'LinearRegressionHead',
    'LogitNormalTimesteps',
    'MapsToRows',
    'MeanResidualHead',
    'MidpointSampler',
    'NoiseSchedule',
    'OneStepSampler',
    'RectifiedFlow',
    'RegressionHead',
    'Sampler',
    'ShiftedTimesteps',
    'SplitTokenizer',
    'TokenDenoiser',
    'UniformTimesteps',
    'at_least_float32',
    'guide',
    'use_onednn',
]
