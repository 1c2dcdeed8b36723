"""What a pair is and costs, measured on one batch of its own images."""

import time
from collections.abc import Callable
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.engine.model import build_model
from gendd_mm.models import GenDD, StoredTeacher
from gendd_mm.models.algorithms.classifier_search import scores_of
from gendd_mm.models.algorithms.teacher_features import ATTRIBUTE

__all__ = ['inspect_pair']

_TIMES = 3


def inspect_pair(cfg: Config, batch_size: int = 8) -> list[tuple[str, str]]:
    """Build a pair, run one batch of its training images, and describe both.

    Building it checks it: see :class:`GenDD`. The teacher's weights are loaded.

    Args:
        cfg: Config of a run, with its sizes filled in.
        batch_size: Images of the batch.

    Returns:
        Rows of a table: what, and what was found. Times are medians of three, in
        milliseconds, on the device that a run would take, in float32.

    Raises:
        ValueError: If the pair does not fit, the config is of no GenDD, or part of the
            student's backbone gets no gradient.
    """
    model = build_model(cfg)
    if not isinstance(model, GenDD):
        raise ValueError(f'{cfg.filename} trains a {type(model).__name__}; give a config of GenDD.')
    model.init_weights()
    model = model.to('cuda' if torch.cuda.is_available() else 'cpu')
    data = _batch(cfg, batch_size)
    images, samples = data['inputs'], data['data_samples']
    prepared = model.data_preprocessor(dict(inputs=images, data_samples=samples), True)
    inputs, samples = prepared['inputs'], prepared['data_samples']
    with model.distiller.teacher_recorders:
        model.teacher.extract_feat(inputs, samples)
    rows = [
        ('images', f'{tuple(inputs.shape)}, mean {inputs.mean():.3g}, std {inputs.std():.3g}'),
        ('teacher', _teacher(model, inputs)),
        *_classes(model),
        ('student', _size_of(model.student, inputs)),
        *(row for name in model.distiller.gendd_names for row in _loss(model, name, len(inputs))),
        ('gradient', _gradient(model, inputs, samples)),
        ('training step', _cost(lambda: _step(model, inputs, samples), len(inputs))),
    ]
    model.eval()
    runs: dict[str, Callable[[], Any]] = {
        'teacher alone': lambda: model.teacher.extract_feat(inputs, samples),
        'prediction, probe': lambda: model.student(inputs, mode='tensor'),
        'prediction, both': lambda: model.predict(inputs, None, 1),
    }
    with torch.no_grad():
        rows += [(name, _cost(run, len(inputs))) for name, run in runs.items()]
    return rows


def _loss(model: GenDD, name: str, images: int) -> list[tuple[str, str]]:
    """What a loss learns, from what and with which head; its name is told if there are more."""
    distiller = model.distiller
    which = f' of {name}' * (len(distiller.gendd_names) > 1)
    mapping, head = distiller.loss_forward_mappings[name], distiller.distill_losses[name].head
    target = distiller.get_record(**mapping['target'])
    taught = distiller.teacher_recorders.recorders[mapping['target']['recorder']].source
    learned = distiller.student_recorders.recorders[mapping['condition']['recorder']].source
    return [
        (
            f'target{which}',
            f'{_described(model, taught)}, {tuple(target.shape)}: mean '
            f'{target.mean():.3g}, std {target.std():.3g}, norm {target.norm(dim=1).mean():.3g}',
        ),
        (f'condition{which}', f'output of {learned!r}, ({images}, {head.condition_dim})'),
        (
            f'head{which}',
            f'{type(head).__name__}, {_millions(head)}; a draw: '
            f'{_cost(lambda: _generate(head, images), images)}',
        ),
    ]


def _described(model: GenDD, source: str) -> str:
    """Where a target comes from, in words."""
    if source == model.teacher.classifier_name:
        return f'input of {source!r}'
    features, _, name = source.rpartition('.')
    return f"the teacher's feature {name!r}" if features == ATTRIBUTE else f'record of {source!r}'


def _classes(model: GenDD) -> list[tuple[str, str]]:
    classifier = model.teacher.classifier
    return [] if classifier is None else [('classes', f'{classifier.out_features} of the teacher')]


def _batch(cfg: Config, batch_size: int) -> dict:
    loader = dict(cfg.train_dataloader, batch_size=batch_size, num_workers=0)
    loader['persistent_workers'] = False
    for name in ('prefetch_factor', 'batch_sampler'):
        loader.pop(name, None)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return next(iter(Runner.build_dataloader(loader, seed=0)))


def _millions(module: nn.Module) -> str:
    return f'{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters'


def _teacher(model: GenDD, inputs: Tensor) -> str:
    teacher = model.teacher.model
    if not isinstance(teacher, StoredTeacher):
        return _size_of(teacher, inputs)
    stored = teacher.store.description
    train = stored.parts['train']
    return (
        f'features of a {stored.teacher_type} in {stored.dtype}, of {train.num_images:,} images '
        f'in {train.num_views} views, from {teacher.store.path}'
    )


def _size_of(model: nn.Module, inputs: Tensor) -> str:
    training = model.training
    with torch.no_grad():
        count = _multiply_adds(lambda: scores_of(model.eval(), inputs[:1]))
    model.train(training)
    return f'{type(model).__name__}, {_millions(model)}, {count}'


def _multiply_adds(run: Callable[[], Any], images: int = 1) -> str:
    """Those of matrix products and convolutions, forward and backward, of one image."""
    with FlopCounterMode(display=False) as counter:
        run()
    return f'{counter.get_total_flops() / 2e9 / images:.3g} G multiply-adds'


def _cost(run: Callable[[], Any], images: int) -> str:
    return f'{_multiply_adds(run, images)} an image, {_milliseconds(run, images)}'


@torch.no_grad()
def _generate(head: Any, images: int) -> None:
    device = next(head.parameters()).device
    head.sample(torch.zeros(images, head.condition_dim, device=device), 1)


def _step(model: GenDD, inputs: Tensor, samples: list) -> None:
    losses = model.train().loss(inputs, samples)
    model.zero_grad()
    sum(value for name, value in losses.items() if 'loss' in name).backward()


def _gradient(model: GenDD, inputs: Tensor, samples: list) -> str:
    """Whether the distillation loss reaches every part of the backbone.

    The last layers of the head start at zero and let nothing pass, so they get other values
    for this step.
    """
    start = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.distiller.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    losses = model.train().loss(inputs, samples)
    model.zero_grad()
    sum(value for name, value in losses.items() if name.startswith('distill.')).backward()
    backbone = model.student.backbone
    while len(children := list(backbone.children())) == 1:
        (backbone,) = children  # a wrapper
    reached, cut_off = 0, []
    for name, part in backbone.named_children():
        gradients = [p.grad for p in part.parameters() if p.requires_grad]
        if not gradients:
            continue
        if any(each is not None and each.abs().max() > 0 for each in gradients):
            reached += 1
        else:
            cut_off.append(name)
    model.zero_grad()
    model.load_state_dict(start)
    if cut_off:
        raise ValueError(
            f"the loss of GenDD does not reach {cut_off} of the student's backbone; freeze them "
            '(frozen_stages), or map a feature that depends on them as condition.'
        )
    return f'reaches all {reached} parts of the backbone'


def _milliseconds(run: Callable[[], Any], images: int) -> str:
    times = []
    for _ in range(_TIMES + 1):  # the first is a warm-up
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    middle = sorted(times[1:])[_TIMES // 2]
    return f'{1000 * middle:.1f} ms for {images} images'
