"""Types of a config as the names that they are registered by."""

from collections.abc import Iterator
from typing import Any

import mmengine.registry
import mmpretrain.registry
import mmrazor.registry
from mmengine.registry import Registry
from mmengine.utils import get_object_from_string

import gendd_mm.registry

__all__ = ['named_types']

# Where a class may be registered, and how its name is written in mmpretrain's scope.
_SCOPES = (
    (mmpretrain.registry, ''),
    (mmengine.registry, ''),
    (gendd_mm.registry, 'gendd_mm.'),
    (mmrazor.registry, 'mmrazor.'),
)


def named_types(node: Any) -> Any:
    """A config whose types are names, as they are where a config is plain text.

    In a Python-style config a type is a class, which ``Config.to_dict`` turns into its
    import path. What is registered nowhere keeps such a path.

    Example:
        >>> from torch import nn
        >>> named_types(dict(type=nn.BatchNorm2d)), named_types(dict(type='torch.nn.ReLU'))
        ({'type': 'BN'}, {'type': 'ReLU'})
        >>> named_types([dict(type='torchvision.models.resnet18')])
        [{'type': 'torchvision.models.resnet18'}]
    """
    if isinstance(node, dict):
        return {
            key: _name(value) if key == 'type' else named_types(value)
            for key, value in node.items()
        }
    if isinstance(node, (list, tuple)):
        return type(node)(named_types(value) for value in node)
    return node


def _name(kind: Any) -> Any:
    if isinstance(kind, str):
        if kind.count('.') < 2:  # a name, or one with its scope
            return kind
        found, path = get_object_from_string(kind), kind
    elif callable(kind):
        found, path = kind, f'{kind.__module__}.{kind.__qualname__}'
    else:
        return kind
    return next(_names(found), path)


def _names(found: Any) -> Iterator[str]:
    for scope, prefix in _SCOPES:
        for registry in vars(scope).values():
            if isinstance(registry, Registry):
                for name, value in registry.module_dict.items():
                    if value is found and found is not None:
                        yield f'{prefix}{name}'
