"""The sizes that a config of GenDD leaves open, measured on its networks."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseModel
from mmrazor.registry import MODELS as MMRAZOR_MODELS
from torch import nn

from gendd_mm.registry import type_name

from .build_teacher import expanded
from .classifier_search import find_classifier
from .student_size import is_open_projector, measured_size, with_projector
from .teacher_features import feature_sizes
from .teacher_records import feature_names

__all__ = ['count_classes', 'fill_in_sizes', 'with_measured_sizes']


def fill_in_sizes(model: dict) -> dict:
    """The config of a GenDD with all of its sizes.

    For what reads a config and builds no model of it, such as the export. Weights are
    neither needed nor read.

    Args:
        model: Config of the model. One of another type, or with all sizes stated, is
            returned as it is, and no network is built.

    Raises:
        ValueError: If a size cannot be measured; see :func:`find_classifier` and
            :func:`feature_size`.

    Example:
        >>> fill_in_sizes(dict(type='mmpretrain.ImageClassifier'))
        {'type': 'mmpretrain.ImageClassifier'}
    """
    if type_name(model.get('type')) != 'GenDD':
        return model
    if not _is_open(model):
        architecture = _with_class_count(model['architecture'])
        same = architecture is model['architecture']
        return model if same else dict(model, architecture=architecture)
    teacher = model['teacher']
    if isinstance(teacher, dict):
        with torch.random.fork_rng(devices=[]):
            teacher = MMRAZOR_MODELS.build(
                {k: v for k, v in expanded(teacher).items() if k not in ('pretrained', 'init_cfg')}
            )
    stated = model.get('teacher_classifier', 'auto')
    gives: Any = (
        feature_sizes(teacher, ['pooled', *feature_names(model['distiller'])])
        if stated is None
        else teacher.get_submodule(find_classifier(teacher, stated))
    )
    architecture, distiller = with_measured_sizes(model['architecture'], model['distiller'], gives)
    return dict(model, architecture=architecture, distiller=distiller)


def with_measured_sizes(
    architecture: BaseModel | dict, distiller: dict, teacher: nn.Linear | Mapping[str, int]
) -> tuple[BaseModel | dict, dict]:
    """Fill in what the configs of the student and of the distiller leave open.

    ``target_dim`` and the student's ``num_classes`` are those of the teacher;
    ``condition_dim``, the ``normalized_shape`` of the connector and the student's
    ``in_channels`` are the size of its pooled feature; that is recorded at its neck, or
    at its backbone if it has none. A :class:`ProjectorNeck` leads from the channels of its
    backbone to the teacher's feature. A student without a head gets a :class:`NoHead`.

    Args:
        architecture: The student or its config.
        distiller: Config of a :class:`GenDDDistiller`.
        teacher: The linear layer that gives the teacher's scores, or, without one, the
            sizes of its features by name.

    Returns:
        Completed copies of the two configs.

    Raises:
        ValueError: If the student gives no pooled feature, or its ``num_classes`` is left
            open beside a teacher that has none.
    """
    if isinstance(architecture, dict):
        architecture = expanded(architecture)
        if 'backbone' in architecture and architecture.get('head') is None:
            architecture = dict(architecture, head=dict(type='gendd_mm.NoHead'))
    architecture = with_projector(architecture, teacher)
    size: list[int] = []

    def student_size() -> int:
        if not size:
            size.append(measured_size(architecture))
        return size[0]

    losses = dict(distiller.get('distill_losses') or {})
    for name, loss in losses.items():
        if _has_open_head(loss):
            head = dict(loss['head'])
            if isinstance(teacher, nn.Linear):
                head.setdefault('target_dim', teacher.in_features)
            else:
                feature = next(iter(feature_names(distiller, name)), 'pooled')
                head.setdefault('target_dim', teacher[feature])
            if 'condition_dim' not in head:
                head['condition_dim'] = student_size()
            losses[name] = dict(loss, head=head)
    connectors = dict(distiller.get('connectors') or {})
    condition = connectors.get('condition')
    if isinstance(condition, dict) and _lacks_shape(condition):
        connectors['condition'] = dict(condition, normalized_shape=student_size())
    recorders = dict(distiller.get('student_recorders') or {})
    if 'feat' not in recorders:
        recorders['feat'] = dict(type='mmrazor.ModuleOutputs', source=_pooled_by(architecture))
    if isinstance(architecture, dict) and _has_classes(architecture.get('head')):
        head = dict(architecture['head'])
        if isinstance(teacher, nn.Linear):
            head.setdefault('num_classes', teacher.out_features)
        elif 'num_classes' not in head:
            raise ValueError(
                'num_classes of the student is left open, but with teacher_classifier=None the '
                "teacher has no classes; set it, or take head=dict(type='gendd_mm.NoHead')."
            )
        if 'in_channels' not in head:
            head['in_channels'] = student_size()
        architecture = _with_class_count(dict(architecture, head=head))
    completed = dict(distill_losses=losses, connectors=connectors, student_recorders=recorders)
    return architecture, dict(distiller, **completed)


def count_classes(preprocessor: Any, augments: Any, num_classes: int | None) -> Any:
    """A preprocessor's config with the number of classes, if it mixes labels.

    Mixup and the like make one-hot labels.

    Args:
        preprocessor: The config, or None.
        augments: The augmentations of a batch besides its own, if any.
        num_classes: The number of classes of the student's head.

    Returns:
        The config itself if nothing is missing.
    """
    own = preprocessor or {}
    mixes = isinstance(own, dict) and (augments or own.get('batch_augments'))
    if not mixes or num_classes is None or own.get('num_classes') is not None:
        return preprocessor
    return dict(own, num_classes=num_classes)


def _with_class_count(architecture: Any) -> Any:
    head = architecture.get('head') if isinstance(architecture, dict) else None
    if not isinstance(head, dict):
        return architecture
    old = architecture.get('data_preprocessor')
    augments = (architecture.get('train_cfg') or {}).get('augments')
    new = count_classes(old, augments, head.get('num_classes'))
    return architecture if new is old else dict(architecture, data_preprocessor=new)


def _is_open(model: dict) -> bool:
    """Whether a config leaves out a size."""
    architecture, distiller = model['architecture'], model['distiller']
    head: Any = architecture.get('head') if isinstance(architecture, dict) else None
    heads = [
        loss['head']
        for loss in (distiller.get('distill_losses') or {}).values()
        if _has_open_head(loss)
    ]
    condition = (distiller.get('connectors') or {}).get('condition')
    return (
        (_has_classes(head) and not {'num_classes', 'in_channels'} <= head.keys())
        or any(not {'condition_dim', 'target_dim'} <= each.keys() for each in heads)
        or (isinstance(condition, dict) and _lacks_shape(condition))
        or is_open_projector(isinstance(architecture, dict) and architecture.get('neck'))
    )


def _has_classes(head: Any) -> bool:
    return isinstance(head, dict) and type_name(head.get('type')) != 'NoHead'


def _has_open_head(loss: Any) -> bool:
    """Whether it is the config of a GenDDLoss, not one of MMRazor's beside it."""
    return (
        isinstance(loss, dict)
        and type_name(loss.get('type')).endswith('GenDDLoss')
        and isinstance(loss.get('head'), dict)
    )


def _lacks_shape(connector: dict) -> bool:
    return (
        type_name(connector.get('type')) in ('LN', 'LayerNorm')
        and 'normalized_shape' not in connector
    )


def _pooled_by(student: BaseModel | dict) -> str:
    neck = student.get('neck') if isinstance(student, dict) else getattr(student, 'neck', None)
    return 'backbone' if neck is None else 'neck'
