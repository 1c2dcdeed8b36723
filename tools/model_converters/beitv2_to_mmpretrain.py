"""Convert a BEiTv2 classifier of timm or of its authors.

    python tools/model_converters/beitv2_to_mmpretrain.py ARCH SRC DST

The teacher of configs/gendd_r50_in1k.py is made so (docs/flagship.md).
"""

from gendd_commands.convert import run
from gendd_mm.converters import BEITV2

if __name__ == '__main__':
    run(__doc__, BEITV2)
