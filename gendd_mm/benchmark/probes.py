"""Ways to get a student that ships alone, without the generative path.

All are linear layers on the frozen student, fitted after training on the images of the
run, with labels only if it has them.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from gendd_mm.deploy.features import batches, student_feature
from gendd_mm.deploy.teacher_scores import teacher_logits
from gendd_mm.evaluation.linear_fit import fit_linear
from gendd_mm.generative import Sampler
from gendd_mm.models import GenDD, GenerativeHead
from gendd_mm.registry import TASK_UTILS


def probe_study(model: BaseModel, train_set: dict, test_set: dict) -> dict[str, float]:
    """Top-1 of the student by each way, in percent.

    Args:
        model: A trained distillation; left in eval mode.
        train_set: Config of its training images, with the test pipeline.
        test_set: Config of labelled test images.

    Returns:
        ``teacher``: logistic regression on the teacher's probabilities. ``both``, of
        labelled training images alone: on the mean of those and the labels. Of GenDD
        alone, ``generated``: on the probabilities of the generative path; ``folded``:
        the teacher's classifier after the least-squares map from student to teacher
        features; ``one_step``, of a generative head: not linear, but its estimate in a
        single step without guidance.
    """
    model.eval()
    train = _collect(model, train_set, with_teacher=True)
    test = _collect(model, test_set)

    def top1(logits: Tensor) -> float:
        return 100 * (logits.argmax(1) == test['label']).double().mean().item()

    def fitted(targets: Tensor) -> float:
        layer = fit_linear(train['student'], targets, targets.size(1))
        return top1(layer(test['student'].double()))

    scores = train['logits'].double().softmax(1)
    result = dict(teacher=fitted(scores))
    if 'label' in train:
        labels = F.one_hot(train['label'], scores.size(1))
        result['both'] = fitted((scores + labels) / 2)
    if not isinstance(model, GenDD):
        return result

    def classify(features: Tensor) -> Tensor:
        return model.teacher.classify(features.to(_device(model))).cpu()

    result['generated'] = fitted(classify(train['generated']).double().softmax(1))
    result['folded'] = top1(classify(_least_squares(train, test['student'])))
    head = model.distiller.gendd_loss.head
    if isinstance(head, GenerativeHead):
        # Without guidance: one evaluation of the network.
        sampler = TASK_UTILS.build(dict(type='one_step', guidance_scale=1.0, _scope_='gendd_mm'))
        generated = _collect(model, test_set, sampler=sampler)['generated']
        result['one_step'] = top1(classify(generated))
    return result


@torch.no_grad()
def _collect(
    model: BaseModel, dataset: dict, with_teacher: bool = False, sampler: Sampler | None = None
) -> dict[str, Tensor]:
    """Student features, of GenDD generated ones too; labels, if any; on the CPU.

    ``with_teacher``, which costs many times as much, adds the teacher's scores and, for
    GenDD, its features. ``sampler`` generates in place of the head's, if given.
    """
    parts: dict[str, list[Tensor]] = {}
    generator = torch.Generator(_device(model)).manual_seed(0)
    for data in batches(dataset, model.data_preprocessor):
        inputs = data['inputs']
        row = {}
        if isinstance(model, GenDD):
            with model.distiller.student_recorders:
                row['student'] = student_feature(model.student, inputs)
            row['generated'] = model.distiller.generate(model.test_num_draws, generator, sampler)
            if with_teacher:
                row['teacher'] = model.teacher.extract_feat(inputs)[-1]
                row['logits'] = model.teacher.classify(row['teacher'])
        else:
            row['student'] = student_feature(model.student, inputs)
            if with_teacher:
                row['logits'] = teacher_logits(model, inputs)
        if 'gt_label' in data['data_samples'][0]:
            row['label'] = torch.cat([sample.gt_label for sample in data['data_samples']])
        for name, values in row.items():
            parts.setdefault(name, []).append(values)
    return {name: torch.cat(values).cpu() for name, values in parts.items()}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _least_squares(train: dict[str, Tensor], student: Tensor) -> Tensor:
    """Teacher features of students', linear with an intercept."""
    ones = torch.ones(len(train['student']), 1, dtype=torch.float64)
    inputs = torch.cat([train['student'].double(), ones], dim=1)
    solution = torch.linalg.lstsq(inputs, train['teacher'].double()).solution
    return (student.double() @ solution[:-1] + solution[-1]).float()
