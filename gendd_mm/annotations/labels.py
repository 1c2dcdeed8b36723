"""The rule for labels: one class index for each image."""

import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .printable import printable

# A sample without a label; None is what an annotation may give for one.
ABSENT = None
MISSING = 'missing'
NOT_INTEGER = 'no integers'
SEVERAL = 'several for an image'
REMEDIES = {
    MISSING: 'Give every image a label, or choose a model that reads none (docs/data.md).',
    NOT_INTEGER: 'Write class indices, counted from 0, into the annotations.',
    SEVERAL: 'The model reads one class index for each image: choose a dataset with single labels.',
}


def label_fault(label: Any, num_classes: int | None) -> str | None:
    """What is wrong with the label of an image, to be read behind "labels are ...".

    Args:
        label: What the dataset gives as ``gt_label``; :data:`ABSENT` if it gives none.
        num_classes: Classes of the model. None leaves the range unchecked.

    Returns:
        None for an integer in [0, num_classes), alone or in a list of length 1.

    Example:
        >>> from gendd_mm.annotations import label_fault
        >>> label_fault(3, num_classes=4), label_fault([3], num_classes=4)
        (None, None)
        >>> label_fault(4, num_classes=4)
        'outside [0, 4), the classes of the model'
        >>> label_fault(1.0, num_classes=4)
        'no integers'
    """
    label = _alone(label)
    if label is None:
        return MISSING
    if isinstance(label, (list, tuple, set, dict)):
        return SEVERAL
    index = class_index(label)
    if index is None:
        return NOT_INTEGER
    if num_classes is not None and not 0 <= index < num_classes:
        return f'outside [0, {num_classes}), the classes of the model'
    return None


def class_index(label: Any) -> int | None:
    """The integer that a label is, in range or not; None if it is none."""
    label = _alone(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def _alone(label: Any) -> Any:
    """A label as Python has it, out of an array or a list of length 1."""
    if isinstance(label, (Tensor, np.ndarray, np.generic)):
        label = label.tolist()
    if isinstance(label, (list, tuple)) and len(label) < 2:
        return label[0] if label else ABSENT
    return label


def remedy(fault: str) -> str:
    """What to do about a fault of :func:`label_fault`."""
    return REMEDIES.get(fault, 'Check the annotations or num_classes.')


def check_labels(dataset: Any, num_classes: int, required: bool = True) -> None:
    """Check all labels of a dataset, without reading an image.

    Args:
        dataset: A dataset with ``get_gt_labels()``, or a wrapper of one or several.
            Others pass.
        num_classes: Classes of the model.
        required: Whether every image needs a label. Otherwise a dataset without any
            passes, but not one that lacks some.

    Raises:
        ValueError: If a label is wrong. It names the dataset, how many are wrong, and the
            first one.
    """
    if not hasattr(dataset, 'get_gt_labels'):
        inner = getattr(dataset, 'datasets', None)
        if inner is None and hasattr(dataset, 'dataset'):
            inner = [dataset.dataset]
        for part in inner or ():
            check_labels(part, num_classes, required)
        return
    labels = _labels_of(dataset)
    if isinstance(labels, np.ndarray):
        wrong = np.flatnonzero((labels < 0) | (labels >= num_classes)).tolist()
        faults = {index: label_fault(labels[index], num_classes) for index in wrong}
    else:
        found = ((i, label_fault(label, num_classes)) for i, label in enumerate(labels))
        faults = {index: fault for index, fault in found if fault}
    if not faults:
        return
    first, fault = next(iter(faults.items()))
    count = sum(each == fault for each in faults.values())
    if fault == MISSING and count == len(labels) and not required:
        return
    others = len(faults) - count
    raise ValueError(
        f'{count} labels of {type(dataset).__name__} are {fault}; the first is '
        f'{reprlib.repr(_alone(labels[first]))} at sample '
        f'{first}{_path_of(dataset, first, len(labels))}. '
        + (f'{others} more are wrong otherwise. ' if others else '')
        + (
            'All are negative, as placeholders of images without labels are. '
            if _all_negative(labels)
            else ''
        )
        + remedy(str(fault))
    )


def _labels_of(dataset: Any) -> np.ndarray | Sequence:
    """Integers, shape (N, ), or whatever the dataset gives for each image."""
    given: Any = None
    try:
        given = dataset.get_gt_labels()
        labels = np.asarray(given)
    # No gt_label, lists of different lengths, integers of any size: seen one by one below.
    except (KeyError, ValueError, TypeError, OverflowError):
        pass
    else:
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
            return labels
    if not hasattr(dataset, 'get_data_info'):
        return [ABSENT] * len(dataset) if given is None else list(given)
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    # A distribution over the classes is a label, too; PackInputs and the heads take it.
    return [info.get('gt_label', 0 if 'gt_score' in info else ABSENT) for info in infos]


def _path_of(dataset: Any, index: int, num_labels: int) -> str:
    # A view of a dataset, such as a fold, may give the labels of the whole.
    if not hasattr(dataset, 'get_data_info') or len(dataset) != num_labels:
        return ''
    path = dataset.get_data_info(index).get('img_path')
    return '' if path is None else f' ({printable(path)})'


def _all_negative(labels: np.ndarray | Sequence) -> bool:
    return isinstance(labels, np.ndarray) and bool((labels < 0).all())
