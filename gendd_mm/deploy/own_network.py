"""The network of timm or torchvision inside a backbone."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from gendd_mm.registry import type_name

__all__ = ['OwnNetwork', 'own_network']


class OwnNetwork(NamedTuple):
    """A network of another library that a backbone wraps.

    Attributes:
        library: ``'timm'`` or ``'torchvision'``.
        network: The network, without its classifier.
        config: Builds one with its classifier (:func:`gendd_mm.models.build_network`).
        run: Gives the features of a network for images.
    """

    library: str
    network: nn.Module
    config: dict[str, Any]
    run: Callable


def own_network(settings: dict, backbone: Any) -> OwnNetwork | None:
    """The network in a backbone, by its config; None if it is of neither library."""
    config: Any = dict(settings)
    kind = type_name(config.pop('type'))
    run: Callable
    if kind == 'TIMMBackbone' and not config.get('features_only'):
        network, run = backbone.timm_model, lambda model, images: model.forward_features(images)
        config = dict(config, type='timm.create_model', in_chans=config.pop('in_channels', 3))
    elif kind == 'ModuleBackbone' and isinstance(config['network'], dict):
        network, run = backbone.network, lambda model, images: model(images)
        config = dict(config['network'])
    else:
        return None
    library = str(config['type']).partition('.')[0]
    if library not in ('timm', 'torchvision'):
        return None
    return OwnNetwork(library, network, config, run)
