"""What the result of a run depends on, written down so that it can be compared."""

from collections.abc import Iterable, Mapping
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from torch import nn

from gendd_mm.checkpoint import fingerprint
from gendd_mm.models import StoredTeacher
from gendd_mm.version import __version__

# The parts of a config that a training depends on.
SECTIONS = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
# Settings in them that change speed, memory, evaluation or the place of a file, and
# nothing that is learned.
_WITHOUT_EFFECT = {
    'channels_last',
    'checkpoint',
    'collate_fn',
    'compile',
    'data_root',
    'index_dir',
    'index_threads',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'pretrained',
    'row_chunk',
    'sample_seed',
    'store',
    'teacher_ckpt',
    'test_num_draws',
    'val_begin',
    'val_interval',
    'val_num_draws',
}
# Compared by what they come to, the number of images a step.
_COMPARED_ELSEWHERE = {'train_dataloader.batch_size'}
# What training adds to a config, and what is learned does not depend on.
_ADDED = {'optim_wrapper.constructor': 'gendd_mm.GroupedOptimWrapperConstructor'}


def run_conditions(runner, model: nn.Module) -> dict[str, Any]:
    """The conditions of a training.

    Args:
        runner: A runner whose training dataloader is built.
        model: Its model, without a wrapper.

    Returns:
        Strings, numbers and dicts of strings, so that a checkpoint can hold them:
        ``world_size``, ``batch_size`` (of a process), ``epoch_length`` (iterations),
        ``samples``, ``seed``, ``teacher`` (a hash of its weights, None without one),
        ``versions`` and ``config`` (settings by dotted name).
    """
    loader = runner.train_dataloader
    teacher = getattr(model, 'teacher', None)
    teacher = getattr(teacher, 'model', teacher)
    return dict(
        world_size=get_world_size(),
        batch_size=getattr(loader, 'batch_size', None),
        epoch_length=len(loader),
        samples=len(loader.dataset),
        seed=runner.seed,
        teacher=_hash_of(teacher),
        versions=dict(
            gendd_mm=__version__, torch=str(torch.__version__), mmengine=mmengine.__version__
        ),
        config=effective_settings(runner.cfg),
    )


def _hash_of(teacher: Any) -> str | None:
    if isinstance(teacher, StoredTeacher):
        return teacher.fingerprint
    return fingerprint(teacher.state_dict()) if isinstance(teacher, nn.Module) else None


def effective_settings(cfg: Config) -> dict[str, str]:
    """The settings that change what is learned, as text by dotted name."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        if cfg.get(section) is not None:
            _flatten(cfg[section], section, found)
    return found


def _flatten(value: Any, path: str, found: dict[str, str]) -> None:
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(part, Mapping) for part in value):
        items = enumerate(value)
    else:
        found[path] = getattr(value, '__qualname__', None) or repr(value)
        return
    for key, part in items:
        name = f'{path}.{key}'
        added = name in _ADDED and part == _ADDED[name]
        if key not in _WITHOUT_EFFECT and name not in _COMPARED_ELSEWHERE and not added:
            _flatten(part, name, found)


def differing_settings(old: Mapping[str, str], new: Mapping[str, str], section: str) -> str:
    """The settings of a section that differ, as ``name: old -> new``; empty if none do."""
    names = [
        name
        for name in [*old, *(name for name in new if name not in old)]
        if name.partition('.')[0] == section and old.get(name) != new.get(name)
    ]
    text = ', '.join(
        f'{name}: {old.get(name, "not set")} -> {new.get(name, "not set")}' for name in names[:5]
    )
    return text + (f' and {len(names) - 5} more' if len(names) > 5 else '')
