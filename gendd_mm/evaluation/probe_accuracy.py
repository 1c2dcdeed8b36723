"""The accuracy of both prediction paths in one pass."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmpretrain.evaluation import Accuracy

from gendd_mm.registry import METRICS

# Name in the metric -> field of the data sample.
PATHS = {'gen': 'pred_score', 'probe': 'probe_score'}


@METRICS.register_module()
class ProbeAccuracy(BaseMetric):
    """Top-k accuracy of the generative path and of the probe, in percent.

    Reports ``gen/top1`` from ``pred_score`` and ``probe/top1`` from ``probe_score``
    (GenDD's samples carry both); a path without a score is left out.

    Args:
        topk: The values of k, at most the number of classes. Defaults to (1, ).
        collect_device: ``'cpu'`` or ``'gpu'``. Defaults to ``'cpu'``.

    Raises:
        ValueError: If a k is above the number of classes.
    """

    # The names of the metrics are complete; None would make MMEngine warn.
    default_prefix = ''
    # For LabelCheckHook.
    reads_labels = True

    def __init__(self, topk: int | Sequence[int] = (1,), collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Store the scores and the label of every sample."""
        for sample in data_samples:
            result = {path: sample[field].cpu() for path, field in PATHS.items() if field in sample}
            result['label'] = sample['gt_label'].cpu()
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Accuracies in percent, keys ``gen/topK`` and ``probe/topK``."""
        labels = torch.cat([result['label'] for result in results])
        metrics = {}
        for path in PATHS:
            if path not in results[0]:
                continue
            scores = torch.stack([result[path] for result in results])
            accuracies = Accuracy.calculate(scores, labels, self.topk)
            for k, (accuracy,) in zip(self.topk, accuracies, strict=True):
                metrics[f'{path}/top{k}'] = accuracy.item()
        return metrics
