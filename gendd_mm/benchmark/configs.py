"""The config of a run, and a fingerprint of it."""

import argparse
import copy
import hashlib
import json
import os.path as osp
import uuid
from functools import cache

from mmengine.config import Config

from gendd_mm.engine.options import merge_train, read_config

from .recipe import TEACHER, Recipe, Run

# Where a run is, and not what it is.
PLACES = ('work_dir', 'teacher_ckpt', 'load_from', 'resume')


def read(recipe: Recipe, run: Run) -> Config:
    """The config of a run, with the options and the seed that are its own."""
    cfg = copy.deepcopy(_read_file(recipe.config(run)))
    cfg.merge_from_dict({**recipe.options(run), 'randomness.seed': run.seed})
    return cfg


def fingerprint(recipe: Recipe, run: Run) -> str:
    """Twelve hexadecimal digits that change with any setting of a run.

    Those of its teacher count, paths do not.
    """
    settings = [_without_places(read(recipe, run)._cfg_dict.to_dict())]
    if run.method != TEACHER:
        settings.append(fingerprint(recipe, teacher_of(recipe, run)))
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def teacher_of(recipe: Recipe, run: Run) -> Run:
    """The run that trains the teacher of a run."""
    return Run(run.setting, TEACHER, recipe.teacher_seed)


def work_dir(recipe: Recipe, run: Run) -> str:
    """Where a run trains; another one if any setting changes.

    Settings that have a teacher in common have its folder in common.
    """
    name = osp.splitext(osp.basename(recipe.config(run)))[0]
    return osp.join(recipe.work_dir, name, f'{fingerprint(recipe, run)}-seed{run.seed}')


def prepared(recipe: Recipe, run: Run, teacher_ckpt: str | None = None) -> Config:
    """The config of a run, ready for a runner that trains or goes on."""
    cfg = read(recipe, run)
    if teacher_ckpt is not None:
        _set_everywhere(cfg._cfg_dict, 'teacher_ckpt', teacher_ckpt)
    # MMEngine keeps loggers by this name, and several runs share a process.
    cfg.experiment_name = uuid.uuid4().hex
    # The progress bars have the screen; scalars are in the work dir.
    cfg.log_level = 'WARNING'
    return merge_train(
        cfg,
        argparse.Namespace(
            config=recipe.config(run),
            work_dir=work_dir(recipe, run),
            resume='auto',
            # Tested once, at the end.
            no_validate=True,
            auto_scale_lr=False,
            amp=False,
            no_pin_memory=False,
            cfg_options=None,
            launcher='none',
            local_rank=0,
        ),
    )


@cache
def _read_file(path: str) -> Config:
    """A config as it was at first: editing it changes no grid under way."""
    return read_config(path)


def _set_everywhere(node, key: str, value) -> None:
    if isinstance(node, dict):
        for name in node:
            if name == key:
                node[name] = value
            else:
                _set_everywhere(node[name], key, value)


def _without_places(node):
    if isinstance(node, dict):
        return {key: _without_places(value) for key, value in node.items() if key not in PLACES}
    if isinstance(node, (list, tuple)):
        return [_without_places(value) for value in node]
    return node
