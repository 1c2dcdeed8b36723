"""A run of a grid with all that its recipe implies, prepared once."""

import copy
import hashlib
import json
import os.path as osp
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mmengine.config import Config

from gendd_mm.config_check import check_config
from gendd_mm.engine.options import RunOptions, merge_train, read_config
from gendd_mm.engine.resume import resume_from

from .recipe import TEACHER, Recipe, Run
from .records import key_of

# These say where a run is stored and how long it waits, not what it computes.
PLACES = ('work_dir', 'teacher_ckpt', 'load_from', 'resume', 'timeout')
# Hooks that change nothing that a run learns: they stop it, or compare, or validate.
GUARDS = tuple(
    f'gendd_mm.{name}Hook' for name in ('BroadcastBuffers', 'Finite', 'Preemption', 'RunConditions')
)


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run, its config and its place.

    Attributes:
        run: Which run of the recipe it is.
        cfg: Its config, with the options and the seed that are its own.
        processes: How many train it together.
        refit: Config whose training images, with their labels, the refitted probe
            learns from.
        fingerprint: Changes with any setting of it or of its teacher.
        work_dir: Where it trains; another folder if the fingerprint changes.
        teacher: The run that trains its teacher; None for a teacher.
        base: The run whose checkpoint it tests, if it trains none itself.
    """

    run: Run
    cfg: Config
    processes: int
    refit: Config
    fingerprint: str
    work_dir: str
    teacher: 'PreparedRun | None' = None
    base: 'PreparedRun | None' = None

    @property
    def key(self) -> tuple:
        """Identifies its record."""
        return *key_of(self.run._asdict()), self.fingerprint

    @property
    def trains(self) -> 'PreparedRun':
        """The run that trains the checkpoint it tests, usually itself."""
        return self.base or self

    @property
    def lock(self) -> str:
        """A file that a process holds while it trains or tests here."""
        return osp.join(self.work_dir, '.lock')

    def runner_config(self, teacher_ckpt: str | None = None) -> Config:
        """Its config for a runner that starts or resumes training."""
        cfg = copy.deepcopy(self.cfg)
        if teacher_ckpt is not None:
            _set_everywhere(cfg._cfg_dict, 'teacher_ckpt', teacher_ckpt)
        # MMEngine keeps loggers by this name, and several runs share a process.
        cfg.experiment_name = uuid.uuid4().hex
        # The screen belongs to the progress bars; scalars are in the work dir.
        cfg.log_level = 'WARNING'
        # Tested once, at the end.
        merge_train(cfg, RunOptions(work_dir=self.work_dir, validate=False))
        resume_from(cfg, 'auto')
        return cfg


def prepare_runs(recipe: Recipe, runs: Sequence[Run]) -> list[PreparedRun]:
    """Prepare runs of a recipe, and once what several depend on.

    Config files are read now: later edits do not change a running grid.
    """

    @cache
    def read(path: str, choices: tuple[tuple[str, str], ...] = ()) -> Config:
        return read_config(path, dict(choices))

    @cache
    def prepare(run: Run) -> PreparedRun:
        method = recipe.method(run)
        choices = tuple(sorted(method.choices.items()))
        cfg = copy.deepcopy(read(method.config, choices))
        cfg.merge_from_dict({**recipe.options(run), 'randomness.seed': run.seed})
        check_config(cfg)
        teacher = base = None
        if run.method != TEACHER:
            teacher = prepare(Run(run.setting, TEACHER, recipe.teacher_seed))
        if not run.retrain:
            base = prepare(run._replace(sweep=None, value=None, retrain=True))
        taught_by = None if teacher is None else teacher.fingerprint
        mark = fingerprint(cfg, method.processes, taught_by)
        # Settings with the same teacher share its folder.
        name = osp.splitext(osp.basename(method.config))[0]
        name = '_'.join([name, *(value for _, value in choices)])
        work_dir = osp.join(recipe.work_dir, name, f'{mark}-seed{run.seed}')
        refit = read(recipe.settings[run.setting].refit)
        return PreparedRun(run, cfg, method.processes, refit, mark, work_dir, teacher, base)

    return [prepare(run) for run in runs]


def fingerprint(cfg: Config, processes: int = 1, teacher: str | None = None) -> str:
    """Twelve hexadecimal digits that change with any setting of a run.

    Args:
        cfg: Config of the run; paths in it and guards do not count.
        processes: How many train it together.
        teacher: Fingerprint of the run that trains its teacher.
    """
    settings: list[Any] = [_without_places(cfg._cfg_dict.to_dict())]
    if teacher is not None:
        settings.append(teacher)
    if processes != 1:
        settings.append(dict(processes=processes))
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _set_everywhere(node: Any, key: str, value: Any) -> None:
    if isinstance(node, dict):
        for name in node:
            if name == key:
                node[name] = value
            else:
                _set_everywhere(node[name], key, value)


def _without_places(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_places(value) for key, value in node.items() if key not in PLACES}
    if isinstance(node, (list, tuple)):
        parts = [
            part for part in node if not (isinstance(part, dict) and part.get('type') in GUARDS)
        ]
        return [_without_places(part) for part in parts]
    return node
