from .algorithms import GenDD, LinearProbing
from .backbones import (
    CIFARVGG,
    CIFARMobileNetV2,
    CIFARResNet,
    CIFARShuffleNetV1,
    CIFARShuffleNetV2,
)
from .connectors import DominantClass
from .distiller import GenDDDistiller
from .exported_program import exported_program
from .generative import DistributionContraction, GenDDLoss, GenerativeHead, RegressionHead
from .heads import (
    ConvProjector,
    LinearProbeHead,
    ReusedClassifierHead,
    SimKDHead,
    UnlabeledClsHead,
)
from .logit_standardization import LogitStandardizationLoss
from .module_backbone import ModuleBackbone
from .module_classifier import ModuleClassifier
from .pretrained_init import FittingPretrainedInit
from .smoothed_labels import SmoothedLabels
from .stored_teacher import StoredTeacher

__all__ = [
    'CIFARMobileNetV2',
    'CIFARResNet',
    'CIFARShuffleNetV1',
    'CIFARShuffleNetV2',
    'CIFARVGG',
    'ConvProjector',
    'DistributionContraction',
    'DominantClass',
    'FittingPretrainedInit',
    'GenDD',
    'GenDDDistiller',
    'GenDDLoss',
    'GenerativeHead',
    'LinearProbeHead',
    'LinearProbing',
    'LogitStandardizationLoss',
    'ModuleBackbone',
    'ModuleClassifier',
    'RegressionHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'SmoothedLabels',
    'StoredTeacher',
    'UnlabeledClsHead',
    'exported_program',
]
