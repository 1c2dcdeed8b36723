"""Convert checkpoints of other projects to MMPretrain's keys."""

from .architecture import Architecture
from .beitv2 import BEITV2
from .convert import convert_checkpoint, convert_weights
from .crd import CRD
from .torchvision_resnets import TORCHVISION

__all__ = ['Architecture', 'BEITV2', 'CRD', 'TORCHVISION', 'convert_checkpoint', 'convert_weights']
