"""What a student gives, and what its projector must take and give, measured."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseModel
from mmrazor.registry import MODELS as MMRAZOR_MODELS
from torch import Tensor, nn

from gendd_mm.registry import type_name

from .classifier_search import dry_run

__all__ = ['feature_size', 'is_open_projector', 'measured_size', 'with_projector']


def measured_size(architecture: BaseModel | dict) -> int:
    """The size S of a student's pooled feature, by running it."""
    return feature_size(_feature_of(architecture))


def _channels_of(architecture: dict) -> int:
    """Channels of the backbone's last feature, maps (B, S, H, W) or pooled (B, S)."""
    feature = _feature_of({k: v for k, v in architecture.items() if k != 'neck'})
    if not isinstance(feature, Tensor) or feature.dim() not in (2, 4):
        shape = tuple(feature.shape) if isinstance(feature, Tensor) else type(feature).__name__
        raise ValueError(
            f"ProjectorNeck projects maps (B, S, H, W) or features (B, S), but the student's "
            f'backbone gives {shape} for two images; for tokens set out_type="cls_token" or '
            '"avg_featmap" of the backbone.'
        )
    return feature.size(1)


def _feature_of(architecture: BaseModel | dict) -> Any:
    """The last feature of two images, by neck or backbone."""
    if not isinstance(architecture, dict):
        student = architecture
    else:
        headless: Any = {
            k: v for k, v in architecture.items() if k not in ('head', 'init_cfg', 'pretrained')
        }
        if isinstance(headless.get('backbone'), dict):
            # Weights are not needed to measure.
            headless['backbone'] = {
                k: v for k, v in headless['backbone'].items() if k != 'init_cfg'
            }
        with torch.random.fork_rng(devices=[]):
            student = MMRAZOR_MODELS.build(headless)
    features = dry_run(student, lambda network, images: network.extract_feat(images))
    return features[-1] if isinstance(features, (list, tuple)) else features


def feature_size(feature: Any) -> int:
    """The size S of a student's pooled feature.

    Args:
        feature: The feature of two images, which should have shape (2, S).

    Raises:
        ValueError: If it is maps, tokens or something else, or S is 1.
    """
    shape = tuple(feature.shape) if isinstance(feature, Tensor) else ()
    where = f'the student gives {shape or type(feature).__name__} for two images'
    if len(shape) == 4:
        raise ValueError(
            f'{where}, maps (B, S, H, W) instead of features (B, S); add '
            "neck=dict(type='GlobalAveragePooling') to the student."
        )
    if len(shape) == 3:
        raise ValueError(
            f'{where}, tokens (B, N, S) instead of features (B, S); set out_type="cls_token" or '
            '"avg_featmap" of the backbone.'
        )
    if len(shape) != 2:
        raise ValueError(
            f'{where} instead of features (B, S); map its pooled feature as condition, with '
            'data_idx=-1 for the last stage.'
        )
    if shape[1] == 1:
        raise ValueError(
            f'{where}: a feature of size 1 is constant once it is normalised, and the student '
            'would get no gradient; map another feature as condition.'
        )
    return shape[1]


def with_projector(architecture: Any, teacher: nn.Linear | Mapping[str, int]) -> Any:
    """The student with the sizes of its projector."""
    neck = architecture.get('neck') if isinstance(architecture, dict) else None
    if not isinstance(neck, dict) or not is_open_projector(neck):
        return architecture
    neck = dict(neck)
    if 'in_channels' not in neck:
        neck['in_channels'] = _channels_of(architecture)
    if 'out_channels' not in neck:
        neck['out_channels'] = (
            teacher.in_features if isinstance(teacher, nn.Linear) else teacher['pooled']
        )
    return dict(architecture, neck=neck)


def is_open_projector(neck: Any) -> bool:
    """Whether it is the config of a projector that leaves out a size."""
    return (
        isinstance(neck, dict)
        and type_name(neck.get('type')) == 'ProjectorNeck'
        and not {'in_channels', 'out_channels'} <= neck.keys()
    )
