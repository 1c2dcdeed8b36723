"""How long the rest of a grid will take, by what has been done."""
from statistics import mean
from typing import List, Optional, Sequence

from .recipe import Run


def seconds_of(record: dict, trains: bool = True) -> float:
    """Seconds that a record took, with its training or without."""
    return record['seconds'] * trains + record['measure_seconds']


def estimate(runs: Sequence[Run], records: List[dict]) -> Optional[float]:
    """Seconds that runs will take; None while nothing is known.

    A run takes the mean of those of its method in its setting, else of its
    setting, else of all.
    """
    if not records:
        return None
    total = 0.
    for run in runs:
        alike = [
            record for record in records
            if (record['setting'], record['method']) == (run.setting,
                                                         run.method)
        ] or [
            record for record in records if record['setting'] == run.setting
        ] or records
        total += mean(seconds_of(each, run.retrain) for each in alike)
    return total
