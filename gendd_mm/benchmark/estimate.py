"""How long the rest of a grid will take, by what has been done."""

from collections.abc import Sequence
from statistics import mean

from .recipe import TEACHER, Run


def seconds_of(record: dict, trains: bool = True) -> float:
    """Seconds that a record took, with its training or without."""
    return record['seconds'] * trains + record['measure_seconds']


def estimate(runs: Sequence[Run], records: list[dict]) -> float | None:
    """Seconds that runs will take; None while nothing is known.

    A run takes the mean of those of its method in its setting, else of the
    students of its setting, else of all students, else of all.
    """
    if not records:
        return None
    total = 0.0
    for run in runs:
        here = [each for each in records if each['setting'] == run.setting]
        # First what says most; a teacher says little of its students.
        alike = (
            [each for each in here if each['method'] == run.method]
            or _students(here)
            or _students(records)
            or records
        )
        total += mean(seconds_of(each, run.retrain) for each in alike)
    return total


def _students(records: list[dict]) -> list[dict]:
    return [each for each in records if each['method'] != TEACHER]
