"""Run a grid, each run once, alone or beside other processes."""

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack

from .evaluation import evaluate
from .prepared_run import PreparedRun, prepare_runs
from .progress import GridProgress
from .recipe import Recipe
from .records import append_record, exclusive, key_of, latest_records, provenance, read_records
from .training import OnEpoch, train_run

# Between two checks of what other processes have finished.
PAUSE_SECONDS = 5


def run_grid(
    recipe: Recipe,
    only: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
) -> list[dict]:
    """Run all that has no record yet; resume what was stopped.

    A run whose settings have changed since its record is run again. Several processes
    may do this at once: each takes the next run that no other has taken, and all return
    when there is none left.

    Args:
        recipe: The benchmark.
        only: Settings to run. None runs all.
        seeds: Seeds to run. None means those of the recipe.
        methods: Methods to run. None runs all.

    Returns:
        The new records of this process.
    """
    runs = prepare_runs(recipe, recipe.runs(only, seeds, methods))
    new: list[dict] = []
    with GridProgress(len(runs)) as progress:
        while True:
            records = latest_records(read_records(recipe.results))
            todo = _todo(runs, records)
            progress.show([run.run for run in todo], records)
            if not todo:
                return new
            with ExitStack() as claim:
                run = _claim(todo, claim)
                if run is None:
                    time.sleep(PAUSE_SECONDS)
                    continue
                # Another process may have finished it before the claim.
                if not _todo([run], latest_records(read_records(recipe.results))):
                    continue
                progress.start(run.run)
                record = run_one(run, progress.epoch)
                append_record(recipe.results, record)
                new.append(record)
                progress.finish(record)


def run_workers(command: Sequence[str], jobs: int, threads: int = 1) -> None:
    """Let several processes share a grid, each by the same command.

    Args:
        command: That runs the grid by :func:`run_grid`.
        jobs: Processes.
        threads: Threads of each.

    Raises:
        RuntimeError: If one of them failed.
    """
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    workers = [subprocess.Popen(command, env=environment) for _ in range(jobs)]
    codes = [worker.wait() for worker in workers]
    if any(codes):  # negative after a signal
        raise RuntimeError(f'workers ended with {codes}; the same command goes on from here.')


def run_one(run: PreparedRun, on_epoch: OnEpoch | None = None) -> dict:
    """Train and test a run that is claimed; returns its record."""
    # Recorded first: the working tree may change during training.
    origin = provenance()
    teacher_ckpt = None
    if run.teacher:
        with exclusive(run.teacher.lock):
            teacher_ckpt = train_run(run.teacher, None, on_epoch).checkpoint
    trained = train_run(run.trains, teacher_ckpt, on_epoch)
    started = time.monotonic()
    measured = evaluate(run.runner_config(teacher_ckpt), trained.checkpoint, run.refit)
    fields = run.run._asdict()
    del fields['retrain']
    return dict(
        **fields,
        **measured,
        seconds=round(trained.seconds, 1),
        measure_seconds=round(time.monotonic() - started, 1),
        fingerprint=run.fingerprint,
        **origin,
    )


def _todo(runs: Sequence[PreparedRun], records: list[dict]) -> list[PreparedRun]:
    """The runs without a record of their key and fingerprint."""
    done = {(*key_of(record), record['fingerprint']) for record in records}
    return [run for run in runs if run.key not in done]


def _claim(todo: Sequence[PreparedRun], claim: ExitStack) -> PreparedRun | None:
    """The first run that no other process has taken; None if there is none."""
    for run in todo:
        try:
            claim.enter_context(exclusive(run.trains.lock, wait=False))
        except BlockingIOError:
            continue
        return run
    return None
