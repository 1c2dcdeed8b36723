"""Say what a checkpoint is, where it is not of the model that it was given to."""

import os
import os.path as osp
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config

from gendd_mm.shipped import shipped

__all__ = ['config_of', 'describe', 'kind_of', 'of_another_kind']

# A kind, and what writes it.
_KINDS = dict(
    distillation=('a run of a distillation', 'its student under `architecture.`'),
    student=('a student alone', 'under `architecture.`, as a probe trained anew'),
    classifier=('a plain classifier', 'as a teacher or an exported student'),
    network=('a bare network', 'as timm and torchvision save it'),
)


def kind_of(keys: Iterable[str]) -> str | None:
    """What model has weights of these names.

    Returns:
        ``'distillation'``, ``'student'``, ``'classifier'`` or ``'network'``; None if such a
        model is wrapped in another.

    Example:
        >>> kind_of(['backbone.conv1.weight', 'head.fc.weight'])
        'classifier'
        >>> kind_of(['architecture.head.fc.weight', 'distiller.connectors.condition.weight'])
        'distillation'
    """
    keys = list(keys)
    parts = {key.partition('.')[0] for key in keys}
    if 'architecture' in parts:
        return 'distillation' if parts & {'distiller', 'teacher'} else 'student'
    if 'backbone' in parts:
        return 'classifier'
    return None if any('.backbone.' in key for key in keys) else 'network'


def describe(weights: Mapping[str, Any], kind: str) -> str:
    """What a checkpoint of a kind is, with its number of classes where that can be seen.

    Example:
        >>> import torch
        >>> describe({'head.fc.weight': torch.ones(10, 3)}, 'classifier')
        'a plain classifier of 10 classes, as a teacher or an exported student'
    """
    what, how = _KINDS[kind]
    layers = [value for key, value in weights.items() if key.endswith('head.fc.weight')]
    if len(layers) == 1 and getattr(layers[0], 'ndim', 0) == 2:
        what += f' of {len(layers[0])} classes'
    return f'{what}, {how}'


def config_of(path: str, checkpoint: Mapping[str, Any]) -> str | None:
    """The config that belongs to a checkpoint.

    It is looked for beside the file, where MMEngine and an export write it, then among the
    configs of this package, by the name of the run and of the folders that it is in.

    Args:
        path: The checkpoint's file.
        checkpoint: Its content.

    Returns:
        Its path, or None if it is not found.
    """
    meta = checkpoint.get('meta')
    name = meta.get('experiment_name') if isinstance(meta, Mapping) else None
    # MMEngine adds the time of the start.
    run = re.sub(r'_\d{8}_\d{6}$', '', name) if isinstance(name, str) else ''
    if not re.fullmatch(r'[\w.-]+', run):
        run = ''
    for stem in (run, osp.splitext(osp.basename(path))[0]):
        beside = osp.join(osp.dirname(path), f'{stem}.py')
        if stem and osp.isfile(beside):
            return beside
    ours = shipped('configs')
    known = {each.stem: each for each in ours.rglob('*.py') if '_base_' not in each.parts}
    for name in (run, *reversed(osp.abspath(path).split(os.sep))):
        if name in known:
            return f'configs/{known[name].relative_to(ours).as_posix()}'
    return None


def of_another_kind(
    cfg: Config, checkpoint: Mapping[str, Any], weights: Mapping[str, Any], own: Iterable[str]
) -> str | None:
    """What a checkpoint is and which config tests it, if that is not the kind of a config.

    Args:
        cfg: The config that it was given with, which loads it.
        checkpoint: Its content.
        weights: The weights in it.
        own: The names of the model's weights.

    Returns:
        A text for the user; None if both are of one kind.
    """
    kind, asked = kind_of(weights), kind_of(own)
    if kind == asked or kind is None or asked is None:
        return None
    path = str(cfg.load_from)
    text = f'{path} is {describe(weights, kind)}; {cfg.filename} is for {_KINDS[asked][0]}.'
    if cfg.get('resume'):
        return f'{text} Give the checkpoint of exactly this config.'
    config = config_of(path, checkpoint)
    if config is None:
        return f'{text} Test it by the config of the run that wrote it.'
    if osp.isfile(config):
        with open(config, encoding='utf-8') as file:
            # An export knows the images' preparation, and no images.
            if not re.search('test_evaluator|_base_', file.read()):
                return (
                    f'{text} Its config is {config}, which names no test: add a test_dataloader, '
                    'test_evaluator and test_cfg to a config that has it as its _base_.'
                )
    return f'{text} Its own config tests it: gendd-test {config} {path}'
