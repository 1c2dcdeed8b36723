from .generative_head import GenerativeHead
from .probe_head import LinearProbeHead
from .reused_head import ReusedClassifierHead

__all__ = ['GenerativeHead', 'LinearProbeHead', 'ReusedClassifierHead']
