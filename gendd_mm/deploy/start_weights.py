"""Take from a config the weights that its training started from."""

import json
import os.path as osp
from typing import Any

from gendd_mm.registry import type_name

__all__ = ['without_origin']

# OpenMMLab's names of them, timm's, and where either keeps what it fetched.
_WEIGHTS = ('init_cfg', 'pretrained', 'checkpoint_path', 'cache_dir')
# Where timm's description of a network says that its weights are.
_SOURCES = ('url', 'file', 'state_dict', 'hf_hub_id', 'hf_hub_filename', 'source')
_FOLDER = 'local-dir:'


def without_origin(node: Any) -> Any:
    """A config that no longer asks for the weights that training started from.

    A network that timm read from a folder is described by its settings instead, so that it
    can be built where there is no such folder.

    Raises:
        OSError: If there is none here either.

    Example:
        >>> without_origin(dict(type='TIMMBackbone', model_name='vit', pretrained=True))
        {'type': 'TIMMBackbone', 'model_name': 'vit'}
    """
    if isinstance(node, (list, tuple)):
        return type(node)(without_origin(each) for each in node)
    if not isinstance(node, dict):
        return node
    kind = str(node.get('type'))
    if str(node.get('model_name')).startswith(_FOLDER):
        node = _of_timm_folder(node)
    kept = {key: without_origin(value) for key, value in node.items() if key not in _WEIGHTS}
    for name in ('pretrained_cfg', 'pretrained_cfg_overlay'):
        if isinstance(kept.get(name), dict):
            kept[name] = {k: value for k, value in kept[name].items() if k not in _SOURCES}
            if not kept[name]:
                del kept[name]
    if kind.startswith('torchvision.'):  # some of its networks fetch a backbone by default
        for name in ('weights', 'weights_backbone'):
            if name in kept:
                kept[name] = None
    return kept


def _of_timm_folder(settings: dict) -> dict:
    """Settings of timm with the name of the network that lies in a folder."""
    folder = osp.expanduser(settings['model_name'].removeprefix(_FOLDER))
    with open(osp.join(folder, 'config.json'), encoding='utf-8') as file:
        stated = json.load(file)
    described: dict = {
        **{key: stated[key] for key in ('num_classes', 'global_pool') if key in stated},
        **stated.get('model_args', {}),
    }
    if type_name(settings['type']) == 'TIMMBackbone':  # which states these itself
        for key in ('num_classes', 'global_pool', 'in_chans'):
            described.pop(key, None)
    return {**described, **settings, 'model_name': stated['architecture']}
