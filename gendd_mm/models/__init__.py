from . import processes  # noqa: F401
from .algorithms import GenDD
from .backbones import CIFARVGG, CIFARMobileNetV2, CIFARResNet, CIFARShuffleNetV1, CIFARShuffleNetV2
from .connectors import DominantClass
from .denoisers import TokenDenoiser
from .distillers import GenDDDistiller
from .heads import (
    ConvProjector,
    GenerativeHead,
    LinearProbeHead,
    RegressionHead,
    ReusedClassifierHead,
    SimKDHead,
    UnlabeledClsHead,
)
from .losses import (
    ClassifierCenters,
    DistributionContraction,
    FeatureMeanCenters,
    FeatureMixup,
    GenDDLoss,
    LogitStandardizationLoss,
)
from .tokenizers import SplitTokenizer

__all__ = [
    'CIFARMobileNetV2',
    'CIFARResNet',
    'CIFARShuffleNetV1',
    'CIFARShuffleNetV2',
    'CIFARVGG',
    'ClassifierCenters',
    'ConvProjector',
    'DistributionContraction',
    'DominantClass',
    'FeatureMeanCenters',
    'FeatureMixup',
    'GenDD',
    'GenDDDistiller',
    'GenDDLoss',
    'GenerativeHead',
    'LinearProbeHead',
    'LogitStandardizationLoss',
    'RegressionHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'SplitTokenizer',
    'TokenDenoiser',
    'UnlabeledClsHead',
]
