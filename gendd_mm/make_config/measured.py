"""What a network is, measured on it without its weights."""

import copy
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmpretrain.models import BaseSelfSupervisor, ImageClassifier, TimmClassifier
from mmrazor.registry import MODELS as MMRAZOR_MODELS
from torch import Tensor, nn

from gendd_mm.models.algorithms.build_teacher import expanded
from gendd_mm.models.algorithms.classifier_search import dry_run, find_classifier, scores_of

__all__ = ['check_image_size', 'has_classifier', 'without_weights']

# A patch of fewer pixels loses too little at the border to matter.
_SMALLEST_PATCH = 8


def without_weights(settings: dict) -> BaseModel:
    """Build a network at random; nothing is fetched or read."""
    settings = copy.deepcopy(expanded(settings))
    settings = {k: v for k, v in settings.items() if k not in ('pretrained', 'init_cfg')}
    for name in ('backbone', 'network'):
        if isinstance(settings.get(name), dict):
            part = {k: v for k, v in settings[name].items() if k != 'init_cfg'}
            settings[name] = dict(part, weights=None) if 'weights' in part else part
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.random.fork_rng(devices=[]):
        return MMRAZOR_MODELS.build(settings)


def has_classifier(teacher: BaseModel) -> bool:
    """Whether a linear layer gives the teacher's output; otherwise it gives a feature.

    Raises:
        ValueError: If it gives scores in another way (see :func:`find_classifier`), or is
            the whole of a self-supervised training.
    """
    if isinstance(teacher, BaseSelfSupervisor):
        raise ValueError(
            f'{type(teacher).__name__} is a self-supervised training, and gives no feature by '
            'itself; give a config of an ImageClassifier with its backbone and without a head, and '
            'the weights of that.'
        )
    if isinstance(teacher, TimmClassifier) and getattr(teacher.model, 'num_classes', None) == 0:
        return False
    try:
        find_classifier(teacher)
    except ValueError:
        if _gives_features(teacher):
            return False
        raise
    return True


def _gives_features(teacher: BaseModel) -> bool:
    if isinstance(teacher, ImageClassifier):
        return not any(isinstance(each, nn.Linear) for each in _head_of(teacher).modules())
    # Of other libraries, a tensor of numbers is taken for scores.
    return not isinstance(teacher, TimmClassifier) and not isinstance(
        dry_run(teacher, scores_of), Tensor
    )


def _head_of(model: ImageClassifier) -> nn.Module:
    return model.head if model.with_head else nn.Identity()


@torch.no_grad()
def check_image_size(name: str, model: BaseModel, image_size: int) -> None:
    """Refuse images of a size that a network does not run on.

    Args:
        name: The network, as the user stated it.
        model: The network.
        image_size: Side of the images, in pixels.

    Raises:
        ValueError: If it does not, or its patches do not cover the images.
    """
    first = next((each for each in model.modules() if isinstance(each, nn.Conv2d)), None)
    patch = 1 if first is None or first.stride != first.kernel_size else int(first.stride[0])
    if patch >= _SMALLEST_PATCH and image_size % patch:
        below = image_size // patch * patch
        near = ' or '.join(str(size) for size in (below, below + patch) if size)
        raise ValueError(
            f'--image-size {image_size} is no multiple of the patches of {name}, {patch} pixels; '
            f'take {near}.'
        )
    images = torch.zeros(2, 3, image_size, image_size)
    run: Any = scores_of
    if getattr(model, 'head', None) is None and hasattr(model, 'backbone'):
        run = _features_of
    try:
        run(model.eval(), images)
    except Exception as error:  # whatever a network says of a size
        text = ' '.join(str(error).split())
        raise ValueError(
            f'{name} does not run on images of --image-size {image_size}: '
            f'{type(error).__name__}: {text}. Take the size that it was made for.'
        ) from error


def _features_of(model: Any, images: Tensor) -> Any:
    return model.extract_feat(images)
