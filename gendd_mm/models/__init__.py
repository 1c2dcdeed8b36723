from . import processes  # noqa: F401
from .algorithms import GenDD
from .backbones import (CIFARMobileNetV2, CIFARResNet, CIFARShuffleNetV1,
                        CIFARShuffleNetV2, CIFARVGG)
from .connectors import DominantClass
from .denoisers import TokenDenoiser
from .distillers import GenDDDistiller
from .heads import (GenerativeHead, LinearProbeHead, ReusedClassifierHead,
                    UnlabeledClsHead)
from .losses import DistributionContraction, FeatureMixup, GenDDLoss
from .tokenizers import SplitTokenizer

__all__ = [
    'CIFARMobileNetV2', 'CIFARResNet', 'CIFARShuffleNetV1',
    'CIFARShuffleNetV2', 'CIFARVGG', 'DistributionContraction',
    'DominantClass', 'FeatureMixup', 'GenDD', 'GenDDDistiller', 'GenDDLoss',
    'GenerativeHead', 'LinearProbeHead', 'ReusedClassifierHead',
    'SplitTokenizer', 'TokenDenoiser', 'UnlabeledClsHead'
]
