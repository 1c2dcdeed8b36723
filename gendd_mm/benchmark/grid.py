"""Run a grid, one run after the other, each once."""
import os.path as osp
import time
from typing import List, Optional, Sequence

from gendd_mm.engine.options import read_config

from . import configs
from .evaluation import evaluate
from .progress import GridProgress
from .provenance import provenance
from .recipe import TEACHER, Recipe, Run
from .records import append_record, exclusive, latest_records, read_records
from .training import OnEpoch, train


def run_grid(recipe: Recipe,
             only: Optional[Sequence[str]] = None,
             seeds: Optional[Sequence[int]] = None) -> List[dict]:
    """Run what has no record yet, and go on with what was stopped.

    A run whose settings have changed since its record is run again.

    Args:
        recipe: The benchmark.
        only: Settings to run. None runs all.
        seeds: Seeds to run. None means those of the recipe.

    Returns:
        The new records.

    Raises:
        RuntimeError: If another process runs in the recipe's work dir.
    """
    new: List[dict] = []
    with exclusive(osp.join(recipe.work_dir, '.lock'), wait=False):
        records = latest_records(read_records(recipe.results))
        done = {(*_key(record), record['fingerprint']) for record in records}
        runs = recipe.runs(only, seeds)
        todo = [
            run
            for run in runs if (*_key(run._asdict()),
                                configs.fingerprint(recipe, run)) not in done
        ]
        with GridProgress(todo, len(runs) - len(todo), records) as progress:
            for run in todo:
                progress.start(run)
                record = perform(recipe, run, progress.epoch)
                append_record(recipe.results, record)
                new.append(record)
                progress.finish(record)
    return new


def perform(recipe: Recipe,
            run: Run,
            on_epoch: Optional[OnEpoch] = None) -> dict:
    """Train and test a run; returns its record."""
    # Of the beginning: the tree may change while it trains.
    origin = provenance()
    teacher = None
    if run.method != TEACHER:
        teacher = train(
            configs.prepared(recipe, configs.teacher_of(recipe, run)),
            on_epoch).checkpoint
    trains = run if run.retrain else run._replace(sweep=None, value=None)
    trained = train(configs.prepared(recipe, trains, teacher), on_epoch)
    started = time.monotonic()
    measured = evaluate(
        configs.prepared(recipe, run, teacher), trained.checkpoint,
        read_config(recipe.settings[run.setting].refit))
    return dict(
        **_fields(run),
        **measured,
        seconds=round(trained.seconds, 1),
        measure_seconds=round(time.monotonic() - started, 1),
        fingerprint=configs.fingerprint(recipe, run),
        **origin)


def _fields(run: Run) -> dict:
    """A run's part of a record."""
    fields = run._asdict()
    del fields['retrain']
    return fields


def _key(fields: dict) -> tuple:
    return tuple(fields[name]
                 for name in ('setting', 'method', 'seed', 'sweep', 'value'))
