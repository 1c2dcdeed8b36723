"""The networks of CIFAR-100 distillation that upstream lacks.

They are those of the CRD benchmark (arXiv 1910.10699), whose pairs the field uses.
Upstream has the others: wide ResNets are ``mmrazor.WideResNet``, ResNet-50 is
``mmpretrain.ResNet_CIFAR``, and MobileNetV1 for ImageNet is timm's, through
``mmpretrain.TIMMBackbone`` (docs/networks.md).
"""

from .cifar_mobilenet_v2 import CIFARMobileNetV2
from .cifar_resnet import CIFARResNet
from .cifar_shufflenet_v1 import CIFARShuffleNetV1
from .cifar_shufflenet_v2 import CIFARShuffleNetV2
from .cifar_vgg import CIFARVGG

__all__ = ['CIFARMobileNetV2', 'CIFARResNet', 'CIFARShuffleNetV1', 'CIFARShuffleNetV2', 'CIFARVGG']
