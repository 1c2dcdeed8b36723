"""A classifier for an exported student, fitted after training."""

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from gendd_mm.engine.model import trained_model
from gendd_mm.evaluation.linear_fit import fit_linear

from .features import batches, student_feature, test_dataset, unaugmented
from .teacher_scores import teacher_logits

TARGETS = ('teacher', 'labels')


@torch.no_grad()
def fitted_probe(cfg: Config, checkpoint: str, targets: str) -> nn.Linear:
    """A linear layer on the frozen student, fitted to convergence.

    It is fitted to all training images of the run, without augmentation;
    their features and targets are in memory together. The GPU is used if
    there is one.

    Args:
        cfg: Config of the run.
        checkpoint: Checkpoint of the run.
        targets: What it is fitted to: ``'teacher'``, the teacher's
            probabilities, which need no labels, or ``'labels'``.

    Returns:
        The layer for the student's features, float64.

    Raises:
        ValueError: If ``targets`` is unknown, the weights do not fit, there
            are no training images, or they have no labels to fit to, or the
            teacher no classes.
    """
    if targets not in TARGETS:
        raise ValueError(f'targets={targets!r} is unknown; choose from {TARGETS}.')
    if targets == 'teacher' and cfg.model.get('teacher_classifier', 'auto') is None:
        raise ValueError(
            "targets='teacher', but the teacher has no classifier (teacher_classifier=None) whose "
            'probabilities a probe could be fitted to; fit it to the labels (--probe labels), or '
            'export the backbone alone (--backbone).'
        )
    train, test = (cfg.get('train_dataloader') or {}).get('dataset'), test_dataset(cfg)
    if train is None or 'pipeline' not in test:
        raise ValueError(
            'a probe is fitted to the training images as the test pipeline prepares them, but '
            'the config lacks train_dataloader, or test_dataloader and test_pipeline; add it.'
        )
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = trained_model(cfg, checkpoint)
        model.to('cuda' if torch.cuda.is_available() else 'cpu')
        dataset = unaugmented(train.to_dict(), test['pipeline'])
        features, wanted = _collect(model, dataset, targets)
    num_classes = model.student.head.num_classes
    return fit_linear(features, wanted, num_classes)


def _collect(model: BaseModel, dataset: dict, targets: str) -> tuple[Tensor, Tensor]:
    features: list[Tensor] = []
    wanted: list[Tensor] = []
    for data in batches(dataset, model.data_preprocessor):
        inputs = data['inputs']
        features.append(student_feature(model.student, inputs).cpu())
        if targets == 'teacher':
            logits = teacher_logits(model, inputs)
            wanted.append(logits.double().softmax(1).cpu())
            continue
        samples = data['data_samples']
        if 'gt_label' not in samples[0]:
            raise ValueError(
                'the training images of this run have no labels; fit the probe to the teacher: '
                "probe='teacher'."
            )
        wanted += [sample.gt_label.cpu() for sample in samples]
    return torch.cat(features), torch.cat(wanted)
