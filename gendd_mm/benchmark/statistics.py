"""Means and spreads over seeds, from records alone."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from .recipe import Comparison


class Summary(NamedTuple):
    """Mean and standard deviation (n - 1) over seeds."""

    mean: float
    # None if there is only one seed.
    std: float | None
    num_seeds: int

    @classmethod
    def of(cls, values: list[float]) -> 'Summary':
        """Summarise at least one value."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))

    def interval(self, level: float = 0.95) -> float | None:
        """Half the width of the confidence interval of the mean, by Student's t.

        None of a single seed.
        """
        if self.std is None:
            return None
        from scipy.special import stdtrit

        quantile = float(stdtrit(self.num_seeds - 1, (1 + level) / 2))
        return quantile * self.std / self.num_seeds**0.5


def by_method(records: list[dict], setting: str) -> dict[str, list[dict]]:
    """The records of each method of a setting, in their order; no sweeps."""
    found: dict[str, list[dict]] = {}
    for record in records:
        if record['setting'] == setting and record['sweep'] is None:
            found.setdefault(record['method'], []).append(record)
    return found


def metric(record: dict, name: str) -> float | None:
    """A metric of a record; None if the record does not have it.

    Args:
        record: The record.
        name: A field such as ``'refit_top1'``, a group such as ``'gen/few'`` or a way
            to a probe such as ``'probes/teacher'``; ``own`` in place of ``gen`` or
            ``probe`` takes that of the method's own output: the generative path, else
            its classifier.
    """
    if name.startswith('own'):
        own = 'probe' if record['gen_top1'] is None else 'gen'
        name = own + name[len('own') :]
    if name.startswith('probes/'):
        return record.get('probes', {}).get(name.partition('/')[2])
    if '/' in name:
        return record.get('groups', {}).get(name)
    return record.get(name)


def over_seeds(records: list[dict], name: str) -> Summary | None:
    """Summary of a metric; None if a record lacks it, or there is no record."""
    values = [value for record in records if (value := metric(record, name)) is not None]
    return Summary.of(values) if values and len(values) == len(records) else None


def overview(
    records: list[dict],
    settings: Iterable[str],
    methods: Mapping[str, Sequence[str]],
    name: str,
) -> dict[str, list[Summary | None]]:
    """A metric by row, a summary for each setting: of the first method of the row it has."""
    found: dict[str, list[Summary | None]] = {title: [] for title in methods}
    for setting in settings:
        ran = by_method(records, setting)
        for title, names in methods.items():
            runs = next((ran[each] for each in names if each in ran), [])
            found[title].append(over_seeds(runs, name))
    return found


def difference(records: list[dict], comparison: Comparison) -> Summary | None:
    """Summary of the differences seed by seed, over the seeds that both have."""
    methods = by_method(records, comparison.setting)
    ours, theirs = (
        {record['seed']: metric(record, comparison.metric) for record in methods.get(name, [])}
        for name in (comparison.method, comparison.against)
    )
    differences = [
        value - other
        for seed, value in sorted(ours.items())
        if value is not None and (other := theirs.get(seed)) is not None
    ]
    return Summary.of(differences) if differences else None


def noise_levels_by_method(records: list[dict], setting: str) -> dict[str, list[list[dict]]]:
    """The noise levels of each run of a setting's methods, where measured."""
    measured = [record for record in records if record.get('noise_levels')]
    return {
        method: [run['noise_levels'] for run in runs]
        for method, runs in by_method(measured, setting).items()
    }


def level_over_seeds(runs: list[list[dict]], index: int, name: str) -> Summary:
    """Summary of a field of one noise level."""
    return Summary.of([run[index][name] for run in runs])
