from .conv_projector import ConvProjector
from .generative_head import GenerativeHead
from .probe_head import LinearProbeHead
from .regression_head import RegressionHead
from .reused_head import ReusedClassifierHead
from .simkd_head import SimKDHead
from .unlabeled_head import UnlabeledClsHead

__all__ = [
    'ConvProjector',
    'GenerativeHead',
    'LinearProbeHead',
    'RegressionHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'UnlabeledClsHead',
]
