"""Accuracy on the many-, medium- and few-shot classes of a long tail."""

from collections.abc import Sequence

import torch
from mmengine.fileio import list_from_file
from torch import Tensor

from gendd_mm.registry import DATASETS, METRICS

from .probe_accuracy import PATHS, ProbeAccuracy

# Training images per class, both ends included (OLTR, arXiv 1904.05160).
MANY_ABOVE, FEW_BELOW = 100, 20


@METRICS.register_module()
class ShotAccuracy(ProbeAccuracy):
    """Top-1 accuracy of both paths, by how many training images a class has.

    Adds ``gen/many``, ``gen/medium``, ``gen/few`` and the same for the probe to the
    metrics of :class:`ProbeAccuracy`, in percent: the classes with more than 100, with
    20 to 100, and with fewer than 20 training images. As in OLTR, the accuracy of a
    group is the mean of the accuracies of its classes; on a balanced test set, that is
    the accuracy on its images. Classes without a test image do not count, and a group
    of such classes only is left out. ``top1`` is over all images.

    Args:
        train_counts: Training images per class: a list of C integers, the config of the
            training dataset, or its annotation file with lines of ``path label``.
        topk: See :class:`ProbeAccuracy`.
        collect_device: See :class:`ProbeAccuracy`.

    Raises:
        ValueError: If ``train_counts`` does not fit the classes of the scores.
    """

    def __init__(
        self,
        train_counts: Sequence[int] | dict | str,
        topk: int | Sequence[int] = (1,),
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(topk=topk, collect_device=collect_device)
        # A list states every class; in a dataset, the last classes may be empty.
        self.counted = isinstance(train_counts, (dict, str))
        if isinstance(train_counts, (dict, str)):
            self.train_counts = torch.bincount(_training_labels(train_counts))
        else:
            self.train_counts = torch.as_tensor(train_counts)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Accuracies in percent, first of all classes, then of the groups."""
        metrics = super().compute_metrics(results)
        labels = torch.cat([result['label'] for result in results])
        for path in PATHS:
            if path not in results[0]:
                continue
            scores = torch.stack([result[path] for result in results])
            correct = scores.argmax(1) == labels
            groups = self._groups(scores.size(1))
            for group, accuracy in group_accuracies(correct, labels, groups).items():
                metrics[f'{path}/{group}'] = accuracy
        return metrics

    def _groups(self, num_classes: int) -> dict[str, Tensor]:
        """Which classes are in each group, bool, shape (C, )."""
        missing = num_classes - len(self.train_counts)
        if missing < 0 or (missing > 0 and not self.counted):
            raise ValueError(
                f'train_counts has {len(self.train_counts)} classes, but the scores have '
                f'{num_classes}; give the counts of the training set of the model.'
            )
        counts = torch.nn.functional.pad(self.train_counts, (0, missing))
        many, few = counts > MANY_ABOVE, counts < FEW_BELOW
        return dict(many=many, medium=~many & ~few, few=few)


def group_accuracies(
    correct: Tensor, labels: Tensor, groups: dict[str, Tensor]
) -> dict[str, float]:
    """The mean of the per-class accuracies of each group.

    Classes without a test image do not count.

    Args:
        correct: Whether a prediction is right, bool, shape (N, ).
        labels: Class indices, shape (N, ).
        groups: Which classes are in each group, bool, shape (C, ).

    Returns:
        Percent by group, without groups that have no test image.
    """
    num_classes = len(next(iter(groups.values())))
    tested = torch.bincount(labels, minlength=num_classes)
    right = torch.bincount(labels[correct], minlength=num_classes)
    accuracies = right / tested * 100.0
    return {
        name: accuracies[members & (tested > 0)].mean().item()
        for name, members in groups.items()
        if (members & (tested > 0)).any()
    }


def _training_labels(source: dict | str) -> Tensor:
    if isinstance(source, str):
        lines = (line.split() for line in list_from_file(source))
        return torch.tensor([int(line[-1]) for line in lines if line])
    # By get_data_info(), which wrappers have too.
    dataset = DATASETS.build(source)
    return torch.tensor([int(dataset.get_data_info(i)['gt_label']) for i in range(len(dataset))])
