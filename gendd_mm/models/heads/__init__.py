from .conv_projector import ConvProjector
from .no_head import NoHead
from .probe_head import LinearProbeHead
from .reused_head import ReusedClassifierHead
from .simkd_head import SimKDHead
from .teacher_classifier_head import TeacherClassifierHead
from .unlabeled_head import UnlabeledClsHead

__all__ = [
    'ConvProjector',
    'LinearProbeHead',
    'NoHead',
    'ReusedClassifierHead',
    'SimKDHead',
    'TeacherClassifierHead',
    'UnlabeledClsHead',
]
