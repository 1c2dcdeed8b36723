from .export import PROBES, export_student
from .probe_config import probe_config

__all__ = ['PROBES', 'export_student', 'probe_config']
