from .conv_projector import ConvProjector
from .probe_head import LinearProbeHead
from .reused_head import ReusedClassifierHead
from .simkd_head import SimKDHead
from .unlabeled_head import UnlabeledClsHead

__all__ = [
    'ConvProjector',
    'LinearProbeHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'UnlabeledClsHead',
]
