"""Means and spreads over seeds, from records alone."""

from collections.abc import Callable
from statistics import mean, stdev
from typing import NamedTuple

from .recipe import Comparison

Metric = Callable[[dict], float | None]


class Summary(NamedTuple):
    """Mean and standard deviation (n - 1) over seeds."""

    mean: float
    # None of one seed.
    std: float | None
    count: int

    @classmethod
    def of(cls, values: list[float]) -> 'Summary':
        """Summarise values, one at least."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def own_path(record: dict) -> str:
    """A method's own output: the generative path, else its classifier."""
    return 'probe' if record['gen_top1'] is None else 'gen'


def metric(name: str) -> Metric:
    """How to read a metric of a record.

    Args:
        name: A field such as ``'refit_top1'``, a group such as
            ``'gen/few'`` or a way to a probe such as ``'probes/teacher'``;
            ``own`` in place of ``gen`` or ``probe`` takes that of the
            method's own output.
    """

    def read(record: dict) -> float | None:
        key = name
        if name.startswith('own'):
            key = own_path(record) + name[len('own') :]
        if key.startswith('probes/'):
            return record.get('probes', {}).get(key.partition('/')[2])
        if '/' in key:
            return record.get('groups', {}).get(key)
        return record.get(key)

    return read


def over_seeds(records: list[dict], name: str) -> Summary | None:
    """Summary of a metric; None if a record has it not, or there is none."""
    values = [metric(name)(record) for record in records]
    if not values or None in values:
        return None
    return Summary.of(values)


def difference(records: list[dict], comparison: Comparison) -> Summary | None:
    """Summary of the differences seed by seed, of the seeds that both have."""
    read = metric(comparison.metric)
    values: dict[str, dict[int, float]] = {}
    for name in (comparison.method, comparison.against):
        values[name] = {
            record['seed']: read(record)
            for record in records
            if record['setting'] == comparison.setting
            and record['method'] == name
            and record['sweep'] is None
        }
    ours, theirs = (values[comparison.method], values[comparison.against])
    differences = [
        ours[seed] - theirs[seed]
        for seed in sorted(ours.keys() & theirs)
        if ours[seed] is not None and theirs[seed] is not None
    ]
    return Summary.of(differences) if differences else None
