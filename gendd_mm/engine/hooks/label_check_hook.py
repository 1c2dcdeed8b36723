"""Check every label before the first step."""

import numpy as np
from mmengine.hooks import Hook
from torch import nn

from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Refuse a dataset with labels outside the classes of the model.

    Reads ``get_gt_labels()`` of mmpretrain's datasets, which needs no image, also
    inside wrappers such as ``RepeatDataset`` and ``ConcatDataset``. Datasets without
    labels pass, and so does a training set whose labels the model does not read: they
    may be placeholders. It runs before training, validation and testing.

    Raises:
        ValueError: If a label is outside [0, num_classes).
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Check the training and, if there is one, the validation set."""
        if _reads_labels(_unwrapped(runner.model)):
            self._check(runner, runner.train_dataloader)
        if runner.val_loop is not None:
            self._check(runner, runner.val_dataloader)

    def before_test(self, runner) -> None:
        """Check the test set."""
        self._check(runner, runner.test_dataloader)

    def _check(self, runner, dataloader) -> None:
        model = _unwrapped(runner.model)
        student = getattr(model, 'student', model)
        num_classes = getattr(getattr(student, 'head', None), 'num_classes', None)
        if num_classes is not None:
            self._check_dataset(dataloader.dataset, num_classes)

    def _check_dataset(self, dataset, num_classes: int) -> None:
        if not hasattr(dataset, 'get_gt_labels'):
            # Wrappers hold one dataset or several.
            inner = getattr(dataset, 'datasets', None)
            if inner is None and hasattr(dataset, 'dataset'):
                inner = [dataset.dataset]
            for part in inner or ():
                self._check_dataset(part, num_classes)
            return
        try:
            labels = np.asarray(dataset.get_gt_labels())
        except KeyError:  # no gt_label: an unlabeled dataset
            return
        except ValueError:  # lists of different lengths
            labels = np.zeros((0, 0))
        if labels.ndim > 1 and labels.shape[1:] != (1,):
            raise ValueError(
                f'{type(dataset).__name__} gives several labels for an image; the model reads one '
                'for each. Choose a dataset with single labels.'
            )
        labels = labels.reshape(-1)
        if len(labels) and not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f'labels of {type(dataset).__name__} are {labels.dtype}, not integers that fit '
                f'int64; the first is {labels[0]!r}. Check the annotations.'
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
        if len(wrong):
            raise ValueError(
                f'{len(wrong)} labels of {type(dataset).__name__} are outside [0, {num_classes}), '
                f'the classes of the model; the first is {labels[wrong[0]]} at sample {wrong[0]}. '
                'Check the annotations or num_classes.'
            )


def _unwrapped(model: nn.Module) -> nn.Module:
    return getattr(model, 'module', model)


def _reads_labels(model: nn.Module) -> bool:
    """Whether a training step reads labels.

    It does unless the student's head is a probe that is not trained, no loss of the
    distiller is given labels, and no mixup mixes them. A model without a distiller may
    say so itself, as LinearProbing does.
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
        getattr(head, 'trainable', True)
        or any('label' in name for mapping in mappings.values() for name in mapping)
        or getattr(preprocessor, 'batch_augments', None) is not None
    )
