from .backbone import export_backbone
from .export import PROBES, class_names, export_student, gives_rgb
from .formats import FORMATS, check_formats, graph_model, write_formats, write_generative
from .generative_model import generative_model
from .model_card import write_model_card
from .probe_config import probe_config

__all__ = [
    'FORMATS',
    'PROBES',
    'check_formats',
    'class_names',
    'export_backbone',
    'export_student',
    'generative_model',
    'gives_rgb',
    'graph_model',
    'probe_config',
    'write_formats',
    'write_generative',
    'write_model_card',
]
