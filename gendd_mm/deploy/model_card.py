"""README.md beside an exported student: what it is, of what, its numbers, how to load it."""

import os.path as osp
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config

from gendd_mm.checkpoint import read_checkpoint
from gendd_mm.registry import type_name
from gendd_mm.version import __version__

from .formats import GENERATIVE, GRAPHS, TOLERANCE, TrainedStudent, Written

__all__ = ['network_name', 'write_model_card']

# Metrics of validation that a checkpoint remembers.
_METRICS = ('top1', 'top5', 'linear', 'knn', 'cosine')


def write_model_card(
    cfg: Config,
    checkpoint: str,
    student: TrainedStudent,
    written: Sequence[Written],
    command: str,
    with_preprocessing: bool = False,
) -> str:
    """Write ``README.md`` into the folder of an exported student.

    Args:
        cfg: Config of the run.
        checkpoint: Checkpoint of the run; what it remembers of its validation is stated.
        student: The student, as the formats were compared with.
        written: The formats.
        command: That made them.
        with_preprocessing: Whether graphs normalise images themselves.

    Returns:
        Its path.
    """
    path = osp.join(osp.dirname(student.exported.weights), 'README.md')
    parts = [
        f'# {network_name(Config.fromfile(student.exported.config).model.backbone)}, distilled\n',
        _what(cfg, student),
        '## Numbers\n',
        _numbers(checkpoint, student),
        '## Files\n',
        _files(student, written, with_preprocessing),
        '## Input\n',
        _input(student),
        '## Made by\n',
        f'```bash\n{command}\n```\n',
        f'gendd_mm {__version__}: Generative Distribution Distillation, arXiv 2507.14503.\n',
    ]
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(parts))
    return path


def network_name(backbone: Mapping[str, Any]) -> str:
    """What a backbone's config builds, for a title.

    >>> network_name(dict(type='mmpretrain.ResNet', depth=18))
    'ResNet, depth 18'
    >>> network_name(dict(type='ModuleBackbone', network=dict(model_name='resnet10t')))
    'resnet10t'
    """
    network = backbone.get('network') or {}
    if network.get('model_name'):
        return str(network['model_name'])
    named = network or backbone
    name = type_name(named['type'])
    for size in ('arch', 'depth'):
        if isinstance(named.get(size), int | str):
            name += f', {size} {named[size]}'
    return name


def _what(cfg: Config, student: TrainedStudent) -> str:
    teacher: Any = cfg.model.get('teacher') or {}
    network = teacher.get('network') or teacher.get('backbone') or {}
    names = [
        str(each)
        for each in (
            teacher.get('model_name') or teacher.get('cfg_path'),
            type_name(network.get('type')) if network else None,
            type_name(teacher.get('type')) if teacher.get('type') else None,
        )
        if each
    ]
    of = f', distilled from {names[0]}' if names else ''
    method = type_name(cfg.model.get('type')) or 'a distillation'
    classes = student.classes
    known = ''
    if classes:
        shown = ', '.join(map(str, classes[:10])) + (', ...' if len(classes) > 10 else '')
        known = f' Its {len(classes)} classes: {shown}.'
    return f'An image classifier{of} by {method}.{known}\n'


def _numbers(checkpoint: str, student: TrainedStudent) -> str:
    found = get_model_complexity_info(
        student.model.eval(), inputs=(student.images[:1],), show_table=False, show_arch=False
    )
    lines = [
        f'| parameters | {found["params"]:,} |',
        f'| multiply-adds of an image | {found["flops"]:,} |',
    ]
    hub: Any = read_checkpoint(checkpoint).get('message_hub') or {}
    scalars: Any = hub.get('log_scalars') or {}
    for name, buffer in sorted(scalars.items()):
        if name.startswith('val/') and name.rpartition('/')[2] in _METRICS:
            # An epoch's checkpoint is saved before the validation of that epoch.
            metric = f'{name.removeprefix("val/")} of the last validation before it was saved'
            lines.append(f'| {metric} | {_last(buffer)} |')
    return '\n'.join(['| | |', '| --- | ---: |', *lines]) + '\n'


def _last(buffer: Any) -> str:
    value = buffer.current() if hasattr(buffer, 'current') else buffer
    return f'{float(value):.2f}'


def _files(student: TrainedStudent, written: Sequence[Written], with_preprocessing: bool) -> str:
    rows = []
    for each in written:
        far = 'the others are compared with it'
        if each.name != 'mmpretrain':
            far = f'{each.difference:.1e}'
        rows.append(f'| `{osp.basename(each.path)}` | {each.name} | `{each.loading}` | {far} |')
    text = '\n'.join(
        [
            '| file | format | loaded by | largest difference of a score |',
            '| --- | --- | --- | --- |',
            *rows,
        ]
    )
    text += f'\n\nCompared on {student.source}; allowed are {TOLERANCE}.'
    if any(each.name in (*GRAPHS, GENERATIVE) for each in written):
        text += (
            ' Graphs take `images` (any number, channels, height, width) in float32, '
            + (
                'RGB or grey levels of 0 to 255, resized and cropped'
                if with_preprocessing
                else 'normalised as below'
            )
            + ', and give `scores`, which sum to 1.'
        )
    if any(each.name == GENERATIVE for each in written):
        text += (
            ' `generative.onnx` also takes `noise`, standard normal in float32, of shape (draws, '
            'images, tokens, size of a token), and also gives `draw_scores`, (images, draws, '
            'classes).'
        )
    needs = ['mmpretrain', *student.exported.needs]
    return text + f' `student.py` needs {" and ".join(needs)}.\n'


def _input(student: TrainedStudent) -> str:
    preprocessor = student.model.data_preprocessor
    channels, height, width = student.images.shape[1:]
    order = 'grey'
    if channels == 3:
        order = 'RGB' if getattr(preprocessor, 'to_rgb', False) else 'BGR'
    text = f'{height} x {width} pixels, {order}'
    mean, std = getattr(preprocessor, 'mean', None), getattr(preprocessor, 'std', None)
    if mean is not None and std is not None:
        numbers = [
            ', '.join(f'{value:g}' for value in each.flatten().tolist()) for each in (mean, std)
        ]
        text += f', levels of 0 to 255 minus ({numbers[0]}), divided by ({numbers[1]})'
    return text + '.\n'
