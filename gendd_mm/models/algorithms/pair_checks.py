"""What is wrong with a pair of teacher and student, found by running each once."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from mmengine.logging import print_log
from mmpretrain.models import GlobalAveragePooling
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.models.module_classifier import ModuleClassifier

from .classifier_search import dry_run, find_classifier, scores_of
from .student_size import feature_size
from .teacher_features import channels_are_last, record_features

if TYPE_CHECKING:
    from .gendd import GenDD

__all__ = ['check_pair']


def check_pair(model: 'GenDD') -> None:
    """Check a built pair before it is trained.

    A student whose own classifier also trains its backbone is a warning in the log, and so
    is a feature that may be scores.

    Raises:
        ValueError: If the recorded target is not what the teacher's classifier sees, the
            student gives no feature that a head can learn from, sizes or classes do not
            fit, or the student's batch augmentations would be lost.
    """
    if model.teacher.classifier is not None:
        _check_target(model)
    _check_target_sizes(model)
    for name in model.distiller.gendd_names:
        _check_condition(model, name)
    _check_classes(model)
    _check_pooling(model.student)
    _check_batch_augments(model)
    _warn_of_own_loss(model)
    _warn_of_scores(model)


def _check_target(model: 'GenDD') -> None:
    """Refuse a target, stated by the config, that the classifier never sees."""
    teacher, name = model.teacher, model.distiller.gendd_name
    entry = model.distiller.loss_forward_mappings[name]['target']
    scores = _recorded(model.distiller.teacher_recorders, teacher.model, scores_of)
    try:
        agrees = torch.allclose(teacher.classify(model.distiller.get_record(**entry)), scores)
    except Exception:  # a target of any type and shape
        agrees = False
    if not agrees:
        raise ValueError(
            f'loss_forward_mappings[{name!r}].target={dict(entry)} is not what enters '
            f'{teacher.classifier_name!r}, the layer that gives the scores of the teacher, so '
            'predictions would be wrong; leave this mapping and its recorder out, and GenDD adds '
            'the right ones.'
        )


def _recorded(recorders: Any, network: nn.Module, run: Callable) -> Any:
    """The result of a dry run that recorders see."""

    def recording(network: nn.Module, images: Tensor) -> Any:
        with recorders:
            return run(network, images)

    return dry_run(network, recording)


def _check_target_sizes(model: 'GenDD') -> None:
    teacher, distiller = model.teacher, model.distiller
    run = record_features if teacher.classifier is None else scores_of
    _recorded(distiller.teacher_recorders, teacher.model, run)
    for name in distiller.gendd_names:
        stated = distiller.distill_losses[name].head.target_dim
        target = distiller.get_record(**distiller.loss_forward_mappings[name]['target'])
        shape = tuple(target.shape) if isinstance(target, Tensor) else type(target).__name__
        if len(shape) != 2:
            raise ValueError(
                f'loss_forward_mappings[{name!r}].target is {shape} for two images instead of '
                'a feature (B, D); map a pooled one.'
            )
        if stated != shape[1]:
            raise ValueError(
                f"target_dim={stated} of {name!r} does not fit the teacher's feature, {shape[1]}; "
                f'set target_dim={shape[1]}.'
            )


def _check_condition(model: 'GenDD', name: str) -> None:
    """Check the student's feature, before and after its connector."""
    distiller = model.distiller
    head = distiller.distill_losses[name].head
    entry = distiller.loss_forward_mappings[name]['condition']
    _recorded(
        distiller.student_recorders, model.student, lambda m, images: m(images, mode='tensor')
    )
    size = feature_size(distiller.get_record(**{**entry, 'connector': None}))
    if head.condition_dim != size and entry.get('connector') in (None, 'condition'):
        raise ValueError(
            f"condition_dim={head.condition_dim} does not fit the student's feature, {size}; set "
            f'condition_dim={size}.'
        )
    norm = getattr(distiller.connectors, 'condition', None)
    if isinstance(norm, nn.LayerNorm) and norm.normalized_shape != (head.condition_dim,):
        raise ValueError(
            f'connectors.condition.normalized_shape={norm.normalized_shape} does not fit '
            f'condition_dim={head.condition_dim}; make them equal.'
        )


def _check_classes(model: 'GenDD') -> None:
    """Contraction and the generative path need the teacher's classes; others do not."""
    own, classifier = num_classes_of(model.student), model.teacher.classifier
    theirs = None if classifier is None else classifier.out_features
    if theirs is None or own in (None, theirs):
        return
    contraction = model.distiller.gendd_loss.contraction
    if contraction is not None and contraction.strength > 0:
        raise ValueError(
            f"num_classes={own} does not fit the teacher's number of classes, {theirs}; set "
            f'num_classes={theirs}. Labels of other classes cannot pull towards the centres of '
            "the teacher's; to keep them, set contraction=None."
        )


def num_classes_of(student: nn.Module) -> int | None:
    """The number of classes of a student's own head, if it states one."""
    return getattr(getattr(student, 'head', None), 'num_classes', None)


def _check_pooling(student: nn.Module) -> None:
    """Refuse a neck that would average maps over their channels."""
    backbone, neck = getattr(student, 'backbone', None), getattr(student, 'neck', None)
    if isinstance(neck, GlobalAveragePooling) and channels_are_last(backbone):
        raise ValueError(
            f'the student ({type(backbone).__name__}) gives maps (B, H, W, S), of which '
            "GlobalAveragePooling would average the channels; take backbone=dict(type='gendd_mm."
            "ModuleBackbone', network=dict(type='timm.create_model', model_name=...)) without a "
            'neck: it pools by itself.'
        )


def _check_batch_augments(model: 'GenDD') -> None:
    """Refuse a preprocessor that drops the student's mixup, or mixes other labels."""
    own = getattr(model.student, 'data_preprocessor', None)
    if (
        getattr(own, 'batch_augments', None) is not None
        and getattr(model.data_preprocessor, 'batch_augments', None) is None
    ):
        raise ValueError(
            'the student has batch augmentations (train_cfg), but the data_preprocessor of the '
            'algorithm, which is the one that runs, has none; put data_preprocessor into the '
            'student (architecture) instead of the top level of the config.'
        )
    stated = getattr(model.data_preprocessor, 'num_classes', None)
    actual = num_classes_of(model.student)
    mixes = getattr(model.data_preprocessor, 'batch_augments', None) is not None
    if mixes and None not in (stated, actual) and stated != actual:
        raise ValueError(
            f'data_preprocessor.num_classes={stated} does not fit the classes of the student, '
            f'{actual}; leave it out, or set num_classes={actual}.'
        )


def _warn_of_own_loss(model: 'GenDD') -> None:
    """Say so if the loss of the student's own head reaches its backbone."""
    head = getattr(model.student, 'head', None)
    if (
        head is None
        or not hasattr(model.student, 'backbone')
        or not dry_run(model.student, _own_loss_reaches_backbone)
    ):
        return
    print_log(
        f"the loss of the student's own head ({type(head).__name__}) trains its backbone beside "
        'GenDD. If it is only to measure the features, take gendd_mm.LinearProbeHead, which does '
        'not; if the labels are to teach the student too, weigh the two by loss_weight.',
        logger='current',
        level=logging.WARNING,
    )


@torch.enable_grad()
def _own_loss_reaches_backbone(student: Any, images: Tensor) -> bool:
    weights = [p for p in student.backbone.parameters() if p.requires_grad]
    features = student.extract_feat(images)
    samples = [DataSample().set_gt_label(0) for _ in images]
    try:
        losses = student.head.loss(features, samples)
        total = sum(value.sum() for name, value in losses.items() if 'loss' in name)
        gradients = torch.autograd.grad(total, weights, allow_unused=True)
    except Exception:  # no loss, or one of other labels than these
        return False
    return any(gradient is not None for gradient in gradients)


def _warn_of_scores(model: 'GenDD') -> None:
    """Say so if the feature of a teacher without a classifier is that of a linear layer."""
    teacher = model.teacher
    if teacher.classifier is not None or not isinstance(teacher.model, ModuleClassifier):
        return
    try:
        name = find_classifier(teacher.model)
    except ValueError:  # the rule
        return
    print_log(
        f"teacher_classifier=None, and the teacher's feature is the output of its linear layer "
        f'{name!r}. A projection may be meant; if these are scores, put a torch.nn.Identity in '
        'its place, or leave teacher_classifier out.',
        logger='current',
        level=logging.WARNING,
    )
