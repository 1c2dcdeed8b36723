"""Tables in Markdown, and plots, of all records."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .plots import plot_cost, plot_noise_levels, plot_sweep
from .recipe import TEACHER, Comparison
from .records import latest_records
from .statistics import (
    Summary,
    by_method,
    difference,
    level_over_seeds,
    noise_levels_by_method,
    over_seeds,
    overview,
)

INTRODUCTION = """\
Top-1 in percent, mean ± standard deviation over seeds. Own output: the
generative path through the teacher's classifier, or a method's own classifier.
Refitted: a linear layer fitted to labels on the frozen student; fitted to the
teacher: to its scores of the run's own training images, `export_student.py
--probe teacher`. Shipped: exported with the probe as it was trained.
Test cost: million multiply-adds per image of the own output. Intervals of
differences are Student's, over seeds. Made by `tools/benchmark.py` from the JSON
lines beside this file.
"""

NOISE_LEVELS = """\
1000 x the mean gradient of an image's loss by the normalised student feature
(root mean square over images) where the noise level is in the tenth of the
scale that begins there, 0 clean and 1 pure noise, and over the levels that the
run trains at. Signal share: of the squared gradient of one draw as trained;
the rest varies with the noise. Compare within a row: losses of different
processes have different units.
"""

# Column title -> metric, the factor to its unit, digits.
COLUMNS = {
    'own output': ('own_top1', 1, 2),
    'probe as trained': ('probe_top1', 1, 2),
    'probe refitted': ('refit_top1', 1, 2),
    'fitted to the teacher': ('probes/teacher', 1, 2),
    'shipped': ('shipped_top1', 1, 2),
    'training seconds': ('seconds', 1, 0),
    'test cost': ('gmacs', 1e3, 2),
}
# Own output by number of training images, where that was measured.
GROUPS = {group: (f'own/{group}', 1, 2) for group in ('many', 'medium', 'few')}
SWEEP_COLUMNS = ('own output', 'probe refitted', 'shipped', 'test cost')


def write_report(
    records: list[dict], comparisons: Sequence[Comparison], folder: Path
) -> list[Path]:
    """Write ``tables.md`` and the plots.

    Args:
        records: What :func:`read_records` gives; the latest of a run counts.
        comparisons: Differences to show.
        folder: Where to write.

    Returns:
        The files.

    Raises:
        ValueError: If there are no records.
    """
    records = latest_records(records)
    if not records:
        raise ValueError('there are no results yet; run tools/benchmark.py without --report first.')
    folder.mkdir(parents=True, exist_ok=True)
    tables = folder / 'tables.md'
    tables.write_text(report(records, comparisons))
    written = [tables]
    for setting in _names(records, 'setting'):
        if by_method(records, setting).keys() - {TEACHER}:
            written += plot_cost(records, setting, folder)
        if noise_levels_by_method(records, setting):
            written += plot_noise_levels(records, setting, folder)
    for sweep in _names(records, 'sweep'):
        written += plot_sweep(records, sweep, folder)
    return written


def report(records: list[dict], comparisons: Sequence[Comparison]) -> str:
    """All tables as one Markdown page."""
    parts = ['# Results\n', INTRODUCTION]
    settings = _names(records, 'setting')
    for setting in settings:
        parts += [f'## {setting}\n', setting_table(records, setting)]
    if comparisons:
        parts += ['## Differences\n', comparison_table(records, comparisons)]
    levels = [
        f'### {setting}\n\n{noise_table(records, setting)}'
        for setting in settings
        if noise_levels_by_method(records, setting)
    ]
    if levels:
        parts += ['## Gradient by noise level\n', NOISE_LEVELS, *levels]
    for sweep in _names(records, 'sweep'):
        parts += [f'## Sensitivity: {sweep}\n', sweep_table(records, sweep)]
    parts += ['## Made with\n', _origin(records)]
    return '\n'.join(parts)


def setting_table(
    records: list[dict], setting: str, columns: Sequence[str] = tuple(COLUMNS)
) -> str:
    """The methods of a setting, a row each, in the order of the records."""
    methods = by_method(records, setting)
    # Either path may have groups.
    measured = {
        group.partition('/')[2]
        for runs in methods.values()
        for run in runs
        for group in run.get('groups', {})
    }
    chosen = {name: COLUMNS[name] for name in columns}
    chosen.update({group: column for group, column in GROUPS.items() if group in measured})
    return _table('method', methods, chosen)


def overview_table(
    records: list[dict],
    settings: Mapping[str, str],
    methods: Mapping[str, Sequence[str]],
    name: str = 'shipped_top1',
) -> str:
    """A row for each method, a column for each setting.

    Args:
        records: Of the runs.
        settings: Titles of the settings, by name.
        methods: Names of a row's methods, by its title; a setting has the first that it ran.
        name: The metric.

    Returns:
        Mean and half the width of the 95 % interval over seeds, in Markdown.
    """
    rows = []
    for title, summaries in overview(records, settings, methods, name).items():
        cells = []
        for summary in summaries:
            interval = None if summary is None else summary.interval()
            cells.append('' if summary is None else f'{summary.mean:.2f}')
            if interval is not None:
                cells[-1] += f' ± {interval:.2f}'
        rows.append([title, *cells])
    return markdown(['method', *settings.values()], rows)


def sweep_table(records: list[dict], sweep: str) -> str:
    """The values of a sweep, a row each."""
    by_value: dict[float, list[dict]] = {}
    for record in records:
        if record['sweep'] == sweep:
            by_value.setdefault(record['value'], []).append(record)
    rows = {str(value): by_value[value] for value in sorted(by_value)}
    return _table(sweep, rows, {name: COLUMNS[name] for name in SWEEP_COLUMNS})


def comparison_table(records: list[dict], comparisons: Sequence[Comparison]) -> str:
    """Differences seed by seed, a row each; a dash where nothing was run."""
    rows = []
    for each in comparisons:
        summary = difference(records, each)
        rows.append(
            [
                each.claim,
                each.setting,
                f'{each.method} - {each.against}',
                each.metric,
                '-' if summary is None else str(summary.num_seeds),
                cell(summary, signed=True),
                _interval(summary),
            ]
        )
    columns = ['claim', 'setting', 'difference', 'of', 'seeds', 'points', '95 % interval']
    return markdown(columns, rows)


def _interval(summary: Summary | None) -> str:
    half = None if summary is None else summary.interval()
    if summary is None or half is None:
        return '-'
    return f'{summary.mean - half:+.2f} to {summary.mean + half:+.2f}'


def noise_table(records: list[dict], setting: str) -> str:
    """1000 x the signal of each noise level, a row for each method."""
    methods = noise_levels_by_method(records, setting)
    levels = next(iter(methods.values()))[0]
    titles = ['as trained' if each['low'] is None else f'{each["low"]:.1f}' for each in levels]
    rows = [
        [
            method,
            str(len(runs)),
            *(cell(level_over_seeds(runs, i, 'signal'), 1000, 1) for i in range(len(levels))),
            cell(level_over_seeds(runs, -1, 'signal_share'), 100, 0),
        ]
        for method, runs in methods.items()
    ]
    return markdown(['method', 'seeds', *titles, 'signal share, %'], rows)


def cell(summary: Summary | None, factor: float = 1, digits: int = 2, signed: bool = False) -> str:
    """``mean ± std``, the mean alone of one seed, a dash of none."""
    if summary is None:
        return '-'
    text = f'{summary.mean * factor:{"+" if signed else ""}.{digits}f}'
    # Costs do not vary with the seed.
    if not summary.std:
        return text
    return f'{text} ± {summary.std * factor:.{digits}f}'


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [header, ['---'] + ['---:'] * (len(header) - 1), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def _table(title: str, rows: dict[str, list[dict]], columns: dict[str, tuple]) -> str:
    """A row for each list of runs, with the mean of each column."""
    cells = [
        [
            name,
            str(len(runs)),
            *(
                cell(over_seeds(runs, of), factor, digits)
                for of, factor, digits in columns.values()
            ),
        ]
        for name, runs in rows.items()
    ]
    return markdown([title, 'seeds', *columns], cells)


def _names(records: list[dict], field: str) -> list[str]:
    return list(dict.fromkeys(record[field] for record in records if record[field] is not None))


def _origin(records: list[dict]) -> str:
    """Every commit, machine and set of versions that a record has."""

    def versions(record: dict) -> str:
        return ', '.join(f'{name} {version}' for name, version in record['versions'].items())

    lines = [f'- commit: {each}' for each in _names(records, 'commit')]
    lines += [f'- hardware: {each}' for each in _names(records, 'hardware')]
    lines += [f'- versions: {each}' for each in dict.fromkeys(map(versions, records))]
    return '\n'.join(lines) + '\n'
