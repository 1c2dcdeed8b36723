from . import processes  # noqa: F401
from .algorithms import GenDD
from .denoisers import TokenDenoiser
from .distillers import GenDDDistiller
from .heads import GenerativeHead, LinearProbeHead, ReusedClassifierHead
from .losses import DistributionContraction, FeatureMixup, GenDDLoss
from .tokenizers import SplitTokenizer

__all__ = [
    'DistributionContraction', 'FeatureMixup', 'GenDD', 'GenDDDistiller',
    'GenDDLoss', 'GenerativeHead', 'LinearProbeHead', 'ReusedClassifierHead',
    'SplitTokenizer', 'TokenDenoiser'
]
