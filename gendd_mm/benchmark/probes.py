"""Ways to get a student that ships alone, without the generative path.

All are linear layers on the frozen student, found after training from what a
run may use: its own training images, and no labels but those it has.
"""
from typing import Dict, List

import torch
from torch import Tensor

from gendd_mm.models import GenDD, GenerativeHead
from gendd_mm.registry import TASK_UTILS

from .features import batches
from .refit import fit_linear


def probe_study(model: GenDD, train_set: dict,
                test_set: dict) -> Dict[str, float]:
    """Top-1 of the student by each way, in percent.

    Args:
        model: A trained distillation; left in eval mode.
        train_set: Config of its training images, with the test pipeline.
        test_set: Config of labelled test images.

    Returns:
        ``generated``: logistic regression on the scores of the generative
        path. ``teacher``: on the teacher's scores. ``folded``: the teacher's
        classifier after the least-squares map from student to teacher
        features. ``one_step``, of a generative head alone: not linear, but
        its estimate in a single step without guidance.
    """
    model.eval()
    train = _collect(model, train_set)
    test = _collect(model, test_set)
    classify = model.teacher.classify

    def top1(logits: Tensor) -> float:
        return 100 * (logits.argmax(1) == test['label']).double().mean().item()

    def fitted(features: Tensor) -> float:
        scores = classify(features).softmax(1).double()
        layer = fit_linear(train['student'], scores, scores.size(1))
        return top1(layer(test['student'].double()))

    result = dict(
        generated=fitted(train['generated']),
        teacher=fitted(train['teacher']),
        folded=top1(classify(_least_squares(train, test['student']))))
    head = model.distiller.gendd_loss.head
    if isinstance(head, GenerativeHead):
        usual = head.sampler
        head.sampler = TASK_UTILS.build(
            dict(type='one_step', guidance_scale=1., _scope_='gendd_mm'))
        result['one_step'] = top1(
            classify(_collect(model, test_set)['generated']))
        head.sampler = usual
    return result


@torch.no_grad()
def _collect(model: GenDD, dataset: dict) -> Dict[str, Tensor]:
    """Student, teacher and generated features; labels, where there are any."""
    parts: Dict[str, List[Tensor]] = {}
    generator = torch.Generator().manual_seed(0)
    for data in batches(dataset, model.data_preprocessor):
        with model.distiller.student_recorders:
            student = model.student.extract_feat(data['inputs'])[-1]
        row = dict(
            student=student,
            teacher=model.teacher.extract_feat(data['inputs'])[-1],
            generated=model.distiller.generate(model.test_num_draws,
                                               generator))
        if 'gt_label' in data['data_samples'][0]:
            row['label'] = torch.cat(
                [sample.gt_label for sample in data['data_samples']])
        for name, values in row.items():
            parts.setdefault(name, []).append(values)
    return {name: torch.cat(values) for name, values in parts.items()}


def _least_squares(train: Dict[str, Tensor], student: Tensor) -> Tensor:
    """Teacher features of students', linear with an intercept."""
    ones = torch.ones(len(train['student']), 1, dtype=torch.float64)
    inputs = torch.cat([train['student'].double(), ones], dim=1)
    solution = torch.linalg.lstsq(inputs, train['teacher'].double()).solution
    return (student.double() @ solution[:-1] + solution[-1]).float()
