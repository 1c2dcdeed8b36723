"""Run a grid, each run once, alone or beside other processes."""

import os.path as osp
import time
from collections.abc import Sequence
from contextlib import ExitStack

from gendd_mm.engine.options import read_config

from . import configs
from .evaluation import evaluate
from .progress import GridProgress
from .provenance import provenance
from .recipe import TEACHER, Recipe, Run
from .records import append_record, exclusive, key_of, latest_records, read_records
from .training import OnEpoch, train

# Between looks at what other processes are doing.
PAUSE_SECONDS = 5


def run_grid(
    recipe: Recipe,
    only: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
) -> list[dict]:
    """Run what has no record yet, and go on with what was stopped.

    A run whose settings have changed since its record is run again. Several
    processes may do this at once: each takes the next run that no other is
    at, and all return when there is none left.

    Args:
        recipe: The benchmark.
        only: Settings to run. None runs all.
        seeds: Seeds to run. None means those of the recipe.
        methods: Methods to run. None runs all.

    Returns:
        The new records of this process.
    """
    new: list[dict] = []
    keys = {
        run: (*key_of(run._asdict()), configs.fingerprint(recipe, run))
        for run in recipe.runs(only, seeds, methods)
    }
    with GridProgress(len(keys)) as progress:
        while True:
            records = latest_records(read_records(recipe.results))
            todo = _todo(keys, records)
            progress.show(todo, records)
            if not todo:
                return new
            with ExitStack() as claim:
                run = _claim(recipe, todo, claim)
                if run is None:
                    time.sleep(PAUSE_SECONDS)
                    continue
                # Another process may have finished it before the claim.
                records = latest_records(read_records(recipe.results))
                if run not in _todo(keys, records):
                    continue
                progress.start(run)
                record = perform(recipe, run, progress.epoch)
                append_record(recipe.results, record)
                new.append(record)
                progress.finish(record)


def perform(recipe: Recipe, run: Run, on_epoch: OnEpoch | None = None) -> dict:
    """Train and test a run that is claimed; returns its record."""
    # Of the beginning: the tree may change while it trains.
    origin = provenance()
    teacher = None
    if run.method != TEACHER:
        teacher_run = configs.teacher_of(recipe, run)
        with exclusive(_lock(recipe, teacher_run)):
            teacher = train(configs.prepared(recipe, teacher_run), on_epoch).checkpoint
    trained = train(configs.prepared(recipe, _trains(run), teacher), on_epoch)
    started = time.monotonic()
    measured = evaluate(
        configs.prepared(recipe, run, teacher),
        trained.checkpoint,
        read_config(recipe.settings[run.setting].refit),
    )
    fields = run._asdict()
    del fields['retrain']
    return dict(
        **fields,
        **measured,
        seconds=round(trained.seconds, 1),
        measure_seconds=round(time.monotonic() - started, 1),
        fingerprint=configs.fingerprint(recipe, run),
        **origin,
    )


def _todo(keys: dict[Run, tuple], records: list[dict]) -> list[Run]:
    """The runs without a record of their key and fingerprint."""
    done = {(*key_of(record), record['fingerprint']) for record in records}
    return [run for run, key in keys.items() if key not in done]


def _claim(recipe: Recipe, todo: Sequence[Run], claim: ExitStack) -> Run | None:
    """The first run that nobody is at; None if there is none."""
    for run in todo:
        try:
            claim.enter_context(exclusive(_lock(recipe, _trains(run)), wait=False))
        except BlockingIOError:
            continue
        return run
    return None


def _trains(run: Run) -> Run:
    """The run whose training it tests."""
    return run if run.retrain else run._replace(sweep=None, value=None)


def _lock(recipe: Recipe, run: Run) -> str:
    return osp.join(configs.work_dir(recipe, run), '.lock')
