from .backbone import export_backbone
from .export import PROBES, export_student
from .probe_config import probe_config

__all__ = ['PROBES', 'export_backbone', 'export_student', 'probe_config']
