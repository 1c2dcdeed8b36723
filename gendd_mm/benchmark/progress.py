"""The progress of a grid on the screen, with an estimate of the time left."""

import time
from collections.abc import Sequence
from datetime import timedelta
from statistics import mean

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .recipe import TEACHER, Run


def estimate(runs: Sequence[Run], records: list[dict]) -> float | None:
    """Seconds that runs will take; None while nothing is known.

    A run takes the mean time of its method in its setting, else of the students in its
    setting, else of all students, else of all runs.
    """
    if not records:
        return None
    total = 0.0
    for run in runs:
        here = [each for each in records if each['setting'] == run.setting]
        # The closest runs first; a teacher says little about its students.
        alike = (
            [each for each in here if each['method'] == run.method]
            or _students(here)
            or _students(records)
            or records
        )
        total += mean(each['seconds'] * run.retrain + each['measure_seconds'] for each in alike)
    return total


def _students(records: list[dict]) -> list[dict]:
    return [each for each in records if each['method'] != TEACHER]


class GridProgress:
    """Two bars, of the grid and of the run; a line for each finished run.

    Without a terminal the lines alone are printed.

    Args:
        total: Number of runs of the grid, including those done before.

    Attributes:
        run: The run that was started last.
    """

    run: Run

    def __init__(self, total: int) -> None:
        self.todo: list[Run] = []
        self.records: list[dict] = []
        self.console = Console()
        self._bars = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            console=self.console,
            transient=True,
        )
        self._total = total
        self._grid = self._bars.add_task('', total=total)
        self._run = self._bars.add_task('', total=None)
        self._started = 0.0

    def __enter__(self) -> 'GridProgress':
        self._bars.start()
        return self

    def __exit__(self, *exception) -> None:
        self._bars.stop()
        if exception[0] is not None and self.todo:
            self._say('Stopped; the same command goes on from here.')

    def show(self, todo: Sequence[Run], records: list[dict]) -> None:
        """Show what is left to do; its time is estimated from the records."""
        first = not self.records and not self.todo
        self.todo, self.records = list(todo), list(records)
        if first:
            self._say(f'{len(todo)} runs to do, {self._left()}.')
        self._bars.update(
            self._grid, completed=self._total - len(todo), description=f'all, {self._left()}'
        )

    def start(self, run: Run) -> None:
        """Show that a run begins."""
        self.run = run
        self._started = time.monotonic()
        self._bars.reset(self._run, total=None, description=run.name)

    def epoch(self, finished: int, total: int) -> None:
        """Show how many of its epochs are finished."""
        self._bars.update(self._run, completed=finished, total=total)

    def finish(self, record: dict) -> None:
        """Print the record of the run."""
        self.todo.remove(self.run)
        self.records.append(record)
        tops = ', '.join(
            f'{name} {record[f"{name}_top1"]:.2f}'
            for name in ('gen', 'probe', 'refit', 'shipped')
            if record[f'{name}_top1'] is not None
        )
        took = _clock(time.monotonic() - self._started)
        self._say(f'{self.run.name}: {tops}; {took}, {self._left()}')

    def _left(self) -> str:
        seconds = estimate(self.todo, self.records)
        return 'time unknown' if seconds is None else f'{_clock(seconds)} left'

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
