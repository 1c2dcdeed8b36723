"""From a folder of HuggingFace's transformers to the config of a teacher."""

import json
import os.path as osp
from importlib.util import find_spec
from typing import Any

from gendd_mm.models.build_network import from_folder

__all__ = ['huggingface_teacher']


def huggingface_teacher(folder: str) -> dict:
    """The config of the network that ``save_pretrained`` wrote; nothing is fetched.

    It has a classifier if one was saved for images. A pooler without weights is left out.

    Args:
        folder: The folder, with the image processor in it, which states the normalisation.

    Raises:
        ValueError: If one of the two is missing, or transformers.
    """
    if find_spec('transformers') is None:
        raise ValueError(f'huggingface:{folder} needs transformers; pip install transformers.')
    saved = _read(folder, 'config.json', 'the network')
    classifies = any(
        name.endswith('ForImageClassification') for name in saved.get('architectures') or ()
    )
    kind = 'AutoModelForImageClassification' if classifies else 'AutoModel'
    network: dict[str, Any] = dict(
        type=f'transformers.{kind}.from_pretrained', pretrained_model_name_or_path=folder
    )
    _, missing = from_folder(network)
    if missing and all(key.startswith('pooler.') for key in missing):
        network['add_pooling_layer'] = False
    images = _read(folder, 'preprocessor_config.json', 'the image processor')
    scale = 255.0 if images.get('do_rescale', True) else 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if images.get('do_normalize', True) and 'image_mean' in images:
        mean, std = images['image_mean'], images['image_std']
    return dict(
        type='gendd_mm.ModuleClassifier',
        network=network,
        pretrained=True,
        data_preprocessor=dict(
            mean=[round(scale * value, 4) for value in mean],
            std=[round(scale * value, 4) for value in std],
            to_rgb=True,
        ),
    )


def _read(folder: str, name: str, what: str) -> dict:
    path = osp.join(folder, name)
    if not osp.isfile(path):
        raise ValueError(
            f'{path} does not exist; save {what} to this folder by its save_pretrained.'
        )
    with open(path, encoding='utf-8') as file:
        return json.load(file)
