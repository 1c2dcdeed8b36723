from .generative_head import GenerativeHead
from .probe_head import LinearProbeHead
from .reused_head import ReusedClassifierHead
from .unlabeled_head import UnlabeledClsHead

__all__ = [
    'GenerativeHead', 'LinearProbeHead', 'ReusedClassifierHead',
    'UnlabeledClsHead'
]
