"""From the name of a network to its config as a teacher or a student."""

import os.path as osp
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config
from mmpretrain.apis import ModelHub, list_models

from gendd_mm.checkpoint import read_state_dict
from gendd_mm.config_check.errors import nearest
from gendd_mm.models.algorithms.build_teacher import load_weights

from .huggingface import huggingface_teacher
from .measured import without_weights

__all__ = ['student_of', 'teacher_of']

# Of ImageNet, in levels of 0 to 255; torchvision's networks and most of timm's.
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
KINDS = (
    'timm:NAME, torchvision:NAME, huggingface:FOLDER of a teacher, a name of '
    "mmpretrain's model zoo or the path of a config"
)


def teacher_of(name: str, checkpoint: str | None, image_size: int) -> dict:
    """The config of a teacher, without its checkpoint.

    Args:
        name: ``timm:NAME``, ``torchvision:NAME``, ``huggingface:FOLDER``, a name of
            mmpretrain's model zoo, such as ``resnet34_8xb32_in1k``, or the path of an MM
            config.
        checkpoint: Its weights, whose number of classes it gets. None takes the library's
            own weights, from its cache or its site when the run starts.
        image_size: Side of the images, in pixels; for networks of timm that are made for
            one size, whose weights are then resampled.

    Raises:
        ValueError: If there is no such network.
    """
    library, _, model = name.partition(':')
    if library == 'timm':
        settings: dict[str, Any] = dict(type='TimmClassifier', **_timm_settings(model, image_size))
        settings['data_preprocessor'] = _timm_preprocessor(model)
        own = dict(pretrained=True)
    elif library == 'torchvision':
        network: dict[str, Any] = dict(type=_torchvision_path(model))
        settings = dict(type='gendd_mm.ModuleClassifier', network=network)
        settings['data_preprocessor'] = dict(mean=MEAN, std=STD, to_rgb=True)
        network['weights'] = None if checkpoint else 'DEFAULT'
        own = dict(pretrained=True)
    elif library == 'huggingface':
        if checkpoint is not None:
            raise ValueError(f'{name} has its weights in the folder; leave --teacher-ckpt out.')
        return huggingface_teacher(model)
    elif name.endswith('.py'):
        settings, own = _of_config(name), {}
    else:
        settings, own = dict(cfg_path=_cfg_path(name)), dict(pretrained=True)
    if checkpoint is None:
        return {**settings, **own}
    if library == 'timm':
        headless = dict(settings, num_classes=0)
        settings['num_classes'] = 0 if _is_all(checkpoint, headless) else _classes_in(checkpoint)
    elif library == 'torchvision':
        network['num_classes'] = _classes_in(checkpoint)
    return settings


def student_of(name: str, image_size: int) -> dict:
    """Backbone and neck of a student, without a head.

    Args:
        name: As of :func:`teacher_of`, but of HuggingFace. Its weights start at random.
        image_size: Side of the images, in pixels.

    Raises:
        ValueError: If there is no such network.
    """
    library, _, model = name.partition(':')
    network: dict[str, Any]
    if library == 'timm':
        network = dict(type='timm.create_model', **_timm_settings(model, image_size))
        if not _timm_cfg(model).get('num_classes', 1):
            network['num_classes'] = 1  # a layer for ModuleBackbone to take away
        return dict(backbone=dict(type='gendd_mm.ModuleBackbone', network=network))
    if library == 'torchvision':
        network = dict(type=_torchvision_path(model), weights=None)
        return dict(backbone=dict(type='gendd_mm.ModuleBackbone', network=network))
    if name.endswith('.py'):
        model_cfg = _of_config(name)
    else:
        model_cfg = get_config(_cfg_path(name)).model.to_dict()
    return {key: model_cfg[key] for key in ('backbone', 'neck') if model_cfg.get(key)}


def _timm_settings(name: str, image_size: int) -> dict:
    try:
        import timm
    except ImportError as error:
        raise ValueError(f'timm:{name} needs timm; pip install timm.') from error
    if not timm.is_model(name):
        raise _unknown(f'timm:{name}', name, timm.list_models())
    cfg = _timm_cfg(name)
    made_for = tuple(cfg.get('input_size') or ())
    if cfg.get('fixed_input_size') and made_for[-2:] != (image_size, image_size):
        return dict(model_name=name, img_size=image_size)
    return dict(model_name=name)


def _timm_cfg(name: str) -> dict:
    """What timm knows of a network's own weights."""
    import timm

    cfg = timm.get_pretrained_cfg(name)
    return {} if cfg is None else cfg.to_dict()


def _timm_preprocessor(name: str) -> dict:
    cfg = _timm_cfg(name)
    if not cfg.get('mean'):
        return dict(mean=MEAN, std=STD, to_rgb=True)
    mean, std = ([round(255 * value, 4) for value in cfg[key]] for key in ('mean', 'std'))
    return dict(mean=mean, std=std, to_rgb=True)


def _torchvision_path(name: str) -> str:
    models = import_module('torchvision.models')
    known = models.list_models(module=models)
    if name not in known:
        raise _unknown(f'torchvision:{name}', name, known)
    return f'torchvision.models.{name}'


def _cfg_path(name: str) -> str:
    known = list_models()
    if name not in known:
        raise _unknown(name, name, known)
    config = ModelHub.get(name).config
    path = config if isinstance(config, str) else config.filename
    return f'mmpretrain::{path.partition("/.mim/configs/")[2]}'


def _of_config(path: str) -> dict:
    if not osp.isfile(path):
        raise ValueError(f'{path} is not a file; give {KINDS}.')
    cfg = Config.fromfile(path)
    model = cfg.model.to_dict()
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    return model


def _unknown(stated: str, name: str, known: list[str]) -> ValueError:
    near = nearest(name, known)
    remedy = f'did you mean {near!r}' if near else f'give {KINDS}'
    return ValueError(f'{stated} is no network that is known; {remedy}.')


def _classes_in(checkpoint: str) -> int:
    """Rows of the last matrix, which is the classifier's, in the weights of a network."""
    matrices = [w for w in read_state_dict(checkpoint).values() if w.dim() == 2]
    if not matrices:
        raise ValueError(f'{checkpoint} holds no linear layer; give weights of a classifier.')
    return len(matrices[-1])


def _is_all(checkpoint: str, settings: dict) -> bool:
    """Whether a network has a place for all weights in a file, so that no head is in it."""
    model = without_weights(settings)
    weights = read_state_dict(checkpoint)
    return not load_weights(model, weights) or weights.keys() <= model.state_dict().keys()
