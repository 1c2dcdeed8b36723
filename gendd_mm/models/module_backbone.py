"""A classifier of any library without its classifier, as a student's backbone."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .algorithms.classifier_search import find_classifier
from .build_network import build_network


@MODELS.register_module()
class ModuleBackbone(BaseModule):
    """Any ``torch.nn.Module`` that classifies, without its last linear layer.

    What entered that layer, pooled as the network pools it, is the feature. So it needs
    no neck. The other weights keep their names, below ``network.``.

    Args:
        network: The module, or its config, whose ``type`` is a name of a registry or the
            import path of a class or function, such as
            ``dict(type='torchvision.models.resnet18', weights=None)`` or
            ``dict(type='timm.create_model', model_name='vit_tiny_patch16_224')``.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If no single linear layer gives the scores of the network.

    Example:
        >>> import torch
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
        >>> network[0].img_size = 2  # where it cannot be guessed
        >>> ModuleBackbone(network)(torch.randn(2, 3, 2, 2))[-1].shape
        torch.Size([2, 12])
    """

    def __init__(self, network: nn.Module | dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        built = build_network(network)
        owner, _, name = find_classifier(built).rpartition('.')
        setattr(built.get_submodule(owner), name, nn.Identity())
        self.network = built

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """The feature, shape (B, S), of images, shape (B, C, H, W), in a tuple."""
        return (self.network(inputs),)
