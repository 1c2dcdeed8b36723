"""Convert a ResNet or ResNeXt of torchvision or of timm.

    python tools/model_converters/torchvision_to_mmpretrain.py ARCH SRC DST

MMPretrain has weights of its own for most of them (cfg_path, pretrained=True).
"""

from gendd_commands.convert import run
from gendd_mm.converters import TORCHVISION

if __name__ == '__main__':
    run(__doc__, TORCHVISION)
