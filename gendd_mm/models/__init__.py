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
from .generative import (
    DistributionContraction,
    GenDDLoss,
    GenerativeHead,
    MeanResidualHead,
    RegressionHead,
)
from .heads import (
    ConvProjector,
    LinearProbeHead,
    ReusedClassifierHead,
    SimKDHead,
    TeacherClassifierHead,
    UnlabeledClsHead,
)
from .logit_standardization import LogitStandardizationLoss
from .module_backbone import ModuleBackbone
from .module_classifier import ModuleClassifier
from .necks import ProjectorNeck
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
    'MeanResidualHead',
    'ModuleBackbone',
    'ModuleClassifier',
    'ProjectorNeck',
    'RegressionHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'SmoothedLabels',
    'StoredTeacher',
    'TeacherClassifierHead',
    'UnlabeledClsHead',
    'exported_program',
]
