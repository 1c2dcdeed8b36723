from .export import PROBES, export_student

__all__ = ['PROBES', 'export_student']
