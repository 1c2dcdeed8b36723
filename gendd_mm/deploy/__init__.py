from .backbone import export_backbone
from .export import PROBES, class_names, export_student, gives_rgb
from .probe_config import probe_config

__all__ = [
    'PROBES',
    'class_names',
    'export_backbone',
    'export_student',
    'gives_rgb',
    'probe_config',
]
