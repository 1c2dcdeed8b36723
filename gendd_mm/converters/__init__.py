"""Convert checkpoints of other projects to MMPretrain's keys and to ours."""

from .architecture import Architecture
from .beitv2 import BEITV2
from .convert import convert_checkpoint, convert_weights
from .crd import CRD
from .gendd_authors import convert_gendd, convert_gendd_weights
from .torchvision_resnets import TORCHVISION

__all__ = [
    'Architecture',
    'BEITV2',
    'CRD',
    'TORCHVISION',
    'convert_checkpoint',
    'convert_gendd',
    'convert_gendd_weights',
    'convert_weights',
]
