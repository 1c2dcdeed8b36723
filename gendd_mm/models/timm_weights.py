"""Weights of timm's networks that were saved at another image size, or by their authors."""

import sys
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

__all__ = ['adapted_by_timm']


def adapted_by_timm(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor] | None:
    """Weights as timm itself adapts them when it fetches its own.

    That is: position embeddings are resampled to the network's image size, and the keys of
    a network's authors, such as DINOv2's, become timm's. Each family of networks has a
    ``checkpoint_filter_fn`` for it.

    Args:
        weights: Weights without the prefix of a wrapper.
        model: A network of timm, or a model that wraps one.

    Returns:
        The weights, or None if there is no network of timm in the model, or it cannot
        adapt them, or would resample kernels, which is another network.
    """
    network = next((m for m in model.modules() if type(m).__module__.startswith('timm.')), None)
    adapt: Any = getattr(sys.modules.get(type(network).__module__), 'checkpoint_filter_fn', None)
    if adapt is None:
        return None
    try:
        adapted = adapt(dict(weights), network)
    except Exception:  # whatever it says of weights of other networks
        return None
    resampled = [
        key
        for key, value in weights.items()
        if key in adapted and adapted[key].shape != value.shape
    ]
    if any(key.endswith('.weight') for key in resampled):
        return None
    if resampled:
        print_log(f'timm resampled {resampled} to the image size of the network', 'current')
    return adapted
