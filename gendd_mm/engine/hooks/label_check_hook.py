"""Check every label before the first step."""

from typing import Any

from mmengine.hooks import Hook
from mmpretrain.evaluation import Accuracy, SingleLabelMetric
from torch import nn

from gendd_mm.annotations import check_labels
from gendd_mm.models import GenDD
from gendd_mm.models.heads import SimKDHead, UnlabeledClsHead
from gendd_mm.registry import HOOKS

# They compare predicted classes with labels.
_ACCURACIES = (Accuracy, SingleLabelMetric)


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Refuse a dataset whose labels the model cannot read.

    Each must be one integer in [0, num_classes). Reads ``get_gt_labels()`` of
    mmpretrain's datasets, which needs no image, also inside wrappers such as
    ``RepeatDataset`` and ``ConcatDataset``. A training set passes if the model does not
    read labels: it may have none, or placeholders. An evaluation set without labels
    passes if no metric of accuracy reads them. A metric must read what the model predicts:
    classes, or features where the teacher has no classifier. It runs before training,
    validation and testing.

    Raises:
        ValueError: If a label is missing or wrong, or a metric reads what is not predicted.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Check the training and, if there is one, the validation set."""
        if _reads_labels(_unwrapped(runner.model)):
            self._check(runner, runner.train_dataloader)
        if runner.val_loop is not None:
            _check_metrics(_unwrapped(runner.model), runner.val_loop)
            self._check(runner, runner.val_dataloader, _scores_labels(runner.val_loop))

    def before_test(self, runner) -> None:
        """Check the test set."""
        _check_metrics(_unwrapped(runner.model), runner.test_loop)
        self._check(runner, runner.test_dataloader, _scores_labels(runner.test_loop))

    def _check(self, runner, dataloader, required: bool = True) -> None:
        model = _unwrapped(runner.model)
        student = getattr(model, 'student', model)
        num_classes = getattr(getattr(student, 'head', None), 'num_classes', None)
        if num_classes is not None:
            self._check_dataset(dataloader.dataset, num_classes, required)

    def _check_dataset(self, dataset, num_classes: int, required: bool = True) -> None:
        check_labels(dataset, num_classes, required)


def _unwrapped(model: nn.Module) -> nn.Module:
    return getattr(model, 'module', model)


def _reads_labels(model: nn.Module) -> bool:
    """Whether a training step reads labels.

    It does unless the student's head has no loss of labels, as a probe that is not
    trained, no loss of the distiller is given labels, and no mixup mixes them. A model
    without a distiller may say so itself, as LinearProbing does.
    """
    stated = getattr(model, 'reads_labels', None)
    if isinstance(stated, bool):
        return stated
    mappings = getattr(getattr(model, 'distiller', None), 'loss_forward_mappings', None)
    if mappings is None:
        return True
    head = getattr(model.student, 'head', None)
    preprocessor = getattr(model, 'data_preprocessor', None)
    return (
        (getattr(head, 'trainable', True) and not isinstance(head, (SimKDHead, UnlabeledClsHead)))
        or any('label' in name for mapping in mappings.values() for name in mapping)
        or getattr(preprocessor, 'batch_augments', None) is not None
    )


def _check_metrics(model: nn.Module, loop: Any) -> None:
    """Refuse a metric that reads a prediction which the model does not give."""
    if not isinstance(model, GenDD):
        return
    has_classifier = model.teacher.classifier is not None
    for metric in _metrics_of(loop):
        kind = type(metric).__name__
        if getattr(metric, 'reads_features', False) and has_classifier:
            raise ValueError(
                f'the evaluator {kind} reads features of a teacher with '
                'teacher_classifier=None, but this one has a classifier; take '
                'gendd_mm.ProbeAccuracy.'
            )
        # ProbeAccuracy reads the scores of a probe, too.
        probe = getattr(metric, 'reads_labels', False)
        reads_scores = isinstance(metric, _ACCURACIES) or (probe and not model.has_probe)
        if reads_scores and not has_classifier:
            raise ValueError(
                f'the evaluator {kind} reads pred_score, but a teacher with '
                'teacher_classifier=None gives no classes; take gendd_mm.FeatureQuality.'
            )


def _metrics_of(loop: Any) -> Any:
    return getattr(getattr(loop, 'evaluator', None), 'metrics', ())


def _scores_labels(loop: Any) -> bool:
    """Whether the evaluator of a loop compares predictions with labels."""
    return any(
        isinstance(each, _ACCURACIES) or getattr(each, 'reads_labels', False)
        for each in _metrics_of(loop)
    )
