"""A table and a plot of the gradient by noise level, from records."""

from pathlib import Path

from .plots import axes_of, save
from .statistics import Summary
from .tables import cell, markdown


def with_noise_levels(records: list[dict], setting: str) -> dict[str, list]:
    """Per method of a setting, the noise levels of each of its runs."""
    found: dict[str, list] = {}
    for record in records:
        if record['setting'] == setting and record['sweep'] is None and record.get('noise_levels'):
            found.setdefault(record['method'], []).append(record['noise_levels'])
    return found


def noise_table(records: list[dict], setting: str) -> str:
    """A row for each method: 1000 x the signal of each level.

    Empty without any.
    """
    methods = with_noise_levels(records, setting)
    if not methods:
        return ''
    bounds = [_title(level) for level in next(iter(methods.values()))[0]]
    rows = [
        [
            method,
            str(len(runs)),
            *(cell(_over_seeds(runs, i, 'signal'), 1000, 1) for i in range(len(bounds))),
            cell(_over_seeds(runs, -1, 'signal_share'), 100, 0),
        ]
        for method, runs in methods.items()
    ]
    return markdown(['method', 'seeds', *bounds, 'signal share, %'], rows)


def plot_noise_levels(records: list[dict], setting: str, folder: Path) -> list[Path]:
    """Signal at each level, mean and standard deviation over seeds."""
    figure, axes = axes_of()
    for method, runs in with_noise_levels(records, setting).items():
        levels = [level for level in runs[0] if level['low'] is not None]
        signals = [_over_seeds(runs, i, 'signal') for i in range(len(levels))]
        axes.errorbar(
            [(level['low'] + level['high']) / 2 for level in levels],
            [signal.mean for signal in signals],
            yerr=[signal.std or 0 for signal in signals],
            marker='o',
            capsize=3,
            label=method,
        )
    axes.set(
        yscale='log',
        xlabel='noise level, 0 clean to 1 pure noise',
        ylabel='mean gradient by the student feature',
        title=setting,
    )
    axes.legend(fontsize='small')
    return save(figure, folder / f'noise_{setting}')


def _title(level: dict) -> str:
    low: float | None = level['low']
    return 'as trained' if low is None else f'{low:.1f}'


def _over_seeds(runs: list[list], index: int, name: str) -> Summary:
    return Summary.of([run[index][name] for run in runs])
