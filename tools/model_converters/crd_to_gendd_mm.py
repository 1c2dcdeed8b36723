"""Convert a CIFAR-100 checkpoint of the CRD benchmark (RepDistiller).

    python tools/model_converters/crd_to_gendd_mm.py ARCH SRC DST

For example ckpt_epoch_240.pth of resnet56, resnet110, resnet32x4, wrn_40_2,
vgg13 or ResNet50, the teachers of that benchmark.
"""

from gendd_commands.convert import run
from gendd_mm.converters import CRD

if __name__ == '__main__':
    run(__doc__, CRD)
