"""The named features of a teacher without a classifier."""

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.models import ImageClassifier, TimmClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.models.module_classifier import ModuleClassifier
from gendd_mm.models.stored_teacher import StoredTeacher

from .classifier_search import dry_run

__all__ = [
    'FEATURES',
    'attach_features',
    'channels_are_last',
    'compile_network',
    'feature_sizes',
    'record_features',
    'teacher_features',
]

FEATURES = ('pooled', 'cls_token', 'patch_tokens')
# What the features pass through, so that MMRazor's recorders see them.
ATTRIBUTE = 'gendd_features'
# Names of a class token's parameter in timm, mmpretrain and HuggingFace's transformers.
_CLASS_TOKENS = ('cls_token', 'class_token', 'class_embedding')
# Of HuggingFace's transformers; the first that there is, is the pooled feature.
_OUTPUTS = ('image_embeds', 'pooler_output', 'last_hidden_state')


class FeatureError(ValueError):
    """A feature that a network does not have."""


def teacher_features(
    model: nn.Module, images: Tensor, names: Iterable[str] = ('pooled',)
) -> dict[str, Tensor]:
    """Named features of a network whose output is a feature.

    - ``pooled``: what the network gives, pooled as it pools; of HuggingFace's outputs
      ``image_embeds`` or else ``pooler_output``. Maps (B, D, H, W) are averaged, also those
      that timm states as (B, H, W, D); of tokens (B, N, D) it is the class token if there
      is one, or else the mean of the patch tokens.
    - ``cls_token``: the class token of the last layer.
    - ``patch_tokens``: the mean of the tokens behind class, distillation and register tokens.

    Args:
        model: mmpretrain's classifier, of which ``extract_feat`` is taken, without any
            head; its ``TimmClassifier`` with ``num_classes=0``; or a
            :class:`ModuleClassifier` of a network without a classifier.
        images: Shape (B, C, H, W).
        names: The features to compute.

    Returns:
        Features by name, each (B, D).

    Raises:
        ValueError: If the network does not have one of them.
    """
    if isinstance(model, StoredTeacher):
        return model.features(images, None, names)
    if isinstance(model, ImageClassifier):
        network = model.backbone
        output = model.extract_feat(images)
    else:
        network = _inner(model)
        output = None
    names = tuple(names)
    wants_tokens = any(name != 'pooled' for name in names)
    tokens: Any = None
    if output is None and wants_tokens and hasattr(network, 'forward_head'):  # timm's
        tokens = network.forward_features(images)
        output = network.forward_head(tokens)
    elif output is None:
        output = network(images)
    if isinstance(output, (tuple, list)):
        output = output[-1]
    kind = type(network).__name__
    if not isinstance(output, Tensor):
        tensors = (getattr(output, name, None) for name in _OUTPUTS)
        given = [each for each in tensors if isinstance(each, Tensor)]
        if not given:
            raise FeatureError(
                f'the teacher ({kind}) gives a {type(output).__name__} without '
                f'{", ".join(_OUTPUTS)}; put a module around it that gives a feature (B, D).'
            )
        tokens = getattr(output, 'last_hidden_state', None) if tokens is None else tokens
        output = given[0]
    elif tokens is None:
        tokens = output
    features = {}
    for name in names:
        if name == 'pooled':
            features[name] = _pooled(network, output, kind)
        else:
            features[name] = _of_tokens(network, tokens, name, kind)
    return features


def attach_features(model: nn.Module, names: Iterable[str]) -> None:
    """Give a teacher a module for each feature to pass through; no weight is added."""
    setattr(model, ATTRIBUTE, nn.ModuleDict({name: nn.Identity() for name in names}))


def record_features(
    model: nn.Module, images: Tensor, data_samples: list[DataSample] | None = None
) -> dict[str, Tensor]:
    """The features that :func:`attach_features` named, seen by MMRazor's recorders."""
    passes: Any = getattr(model, ATTRIBUTE)
    if isinstance(model, StoredTeacher):
        features = model.features(images, data_samples, passes)
    else:
        features = teacher_features(model, images, passes)
    return {name: passes[name](feature) for name, feature in features.items()}


def compile_network(model: nn.Module, options: dict) -> None:
    """Compile in place what :func:`teacher_features` runs of a wrapped network."""
    network: Any = _inner(model)
    network.compile(**options)
    if hasattr(network, 'forward_features'):  # timm's, which gives the tokens
        network.forward_features = torch.compile(network.forward_features, **options)


def feature_sizes(model: nn.Module, names: Iterable[str]) -> dict[str, int]:
    """The size D of each named feature, by running the network once on noise.

    Raises:
        ValueError: If the network does not have one of them.
    """

    def run(network: nn.Module, images: Tensor) -> Any:
        try:
            return teacher_features(network, images, names)
        except FeatureError as error:  # another size of image would not help
            return error

    features = dry_run(model, run)
    if isinstance(features, FeatureError):
        raise features
    return {name: feature.size(1) for name, feature in features.items()}


def _inner(model: nn.Module) -> nn.Module:
    """The network inside a wrapper."""
    network = model
    if isinstance(model, TimmClassifier):
        network = model.model
    elif isinstance(model, ModuleClassifier):
        network = model.network
    elif isinstance(model, BaseModel):
        raise FeatureError(
            f'{type(model).__name__} has no feature that is known here; put the network into a '
            'gendd_mm.ModuleClassifier, or give it a classifier.'
        )
    if getattr(network, 'num_classes', 0) and hasattr(network, 'forward_head'):
        raise FeatureError(
            f'teacher_classifier=None, but {type(network).__name__} has a classifier of '
            f'{network.num_classes} classes; set num_classes=0, or leave teacher_classifier out.'
        )
    return network


def _pooled(network: nn.Module, output: Tensor, kind: str) -> Tensor:
    if output.dim() == 2:
        return output
    if output.dim() == 4:
        return output.mean((1, 2) if channels_are_last(network) else (2, 3))
    if output.dim() == 3:
        name = 'cls_token' if _has_class_token(network) else 'patch_tokens'
        return _of_tokens(network, output, name, kind)
    raise FeatureError(
        f'the teacher ({kind}) gives {tuple(output.shape)}, no feature (B, D), map (B, D, H, W) '
        'or tokens (B, N, D); with teacher_classifier=None its output is the target.'
    )


def _of_tokens(network: nn.Module, tokens: Any, name: str, kind: str) -> Tensor:
    if not isinstance(tokens, Tensor) or tokens.dim() != 3:
        raise FeatureError(
            f'{name!r} is a feature of tokens, but the teacher ({kind}) gives none (B, N, D); take '
            "'pooled', or for a transformer of mmpretrain out_type='raw'."
        )
    if name == 'cls_token':
        if not _has_class_token(network):
            raise FeatureError(
                f"the teacher ({kind}) has no class token; take 'pooled' or 'patch_tokens'."
            )
        return tokens[:, 0]
    if name != 'patch_tokens':
        raise FeatureError(f'{name!r} is no feature of a teacher; choose from {FEATURES}.')
    return tokens[:, _num_prefix_tokens(network) :].mean(1)


def channels_are_last(network: Any) -> bool:
    """Whether maps are (B, H, W, D), as timm states of Swin; also inside TIMMBackbone."""
    stated = getattr(getattr(network, 'timm_model', network), 'output_fmt', 'NCHW')
    return str(getattr(stated, 'value', stated)) == 'NHWC'


def _has_class_token(network: nn.Module) -> bool:
    return _has_parameter(network, _CLASS_TOKENS)


def _has_parameter(network: nn.Module, names: tuple[str, ...]) -> bool:
    return any(name.rpartition('.')[2] in names for name, _ in network.named_parameters())


def _num_prefix_tokens(network: nn.Module) -> int:
    """How many tokens stand before those of the patches, as timm and mmpretrain state it."""
    network = getattr(network, 'timm_model', network)
    for name in ('num_prefix_tokens', 'num_extra_tokens'):
        stated = getattr(network, name, None)
        if isinstance(stated, int):
            return stated
    # HuggingFace's transformers state the register tokens alone; DeiT's has two of a class.
    registers = getattr(getattr(network, 'config', None), 'num_register_tokens', 0)
    distilled = _has_parameter(network, ('distillation_token',))
    return _has_class_token(network) + distilled + registers
