"""Tables and plots of all records, in one folder."""

from collections.abc import Sequence
from pathlib import Path

from .noise_report import noise_table, plot_noise_levels, with_noise_levels
from .plots import plot_cost, plot_sweep
from .recipe import Comparison
from .records import latest_records
from .tables import comparison_table, setting_table, sweep_table

INTRODUCTION = """\
Top-1 in percent, mean ± standard deviation over seeds. Own output: the
generative path through the teacher's classifier, or a method's own classifier.
Refitted: a linear layer fitted to labels on the frozen student; fitted to the
teacher: to its scores of the run's own training images, `export_student.py
--probe teacher`. Shipped: exported with the probe as it was trained.
Test cost: million multiply-adds per image of the own output. Made by
`tools/benchmark.py` from the JSON lines beside this file.
"""

NOISE_LEVELS = """\
1000 x the mean gradient of an image's loss by the normalised student feature
(root mean square over images) where the noise level is in the tenth of the
scale that begins there, 0 clean and 1 pure noise, and over the levels that the
run trains at. Signal share: of the squared gradient of one draw as trained;
the rest varies with the noise. Compare within a row: losses of different
processes have different units.
"""


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
        if any(
            record['setting'] == setting
            and record['method'] != 'teacher'
            and record['sweep'] is None
            for record in records
        ):
            written += plot_cost(records, setting, folder)
        if with_noise_levels(records, setting):
            written += plot_noise_levels(records, setting, folder)
    for sweep in _names(records, 'sweep'):
        written += plot_sweep(records, sweep, folder)
    return written


def report(records: list[dict], comparisons: Sequence[Comparison]) -> str:
    """All tables as one Markdown page."""
    parts = ['# Results\n', INTRODUCTION]
    for setting in _names(records, 'setting'):
        parts += [f'## {setting}\n', setting_table(records, setting)]
    if comparisons:
        parts += ['## Differences\n', comparison_table(records, comparisons)]
    levels = [
        f'### {setting}\n\n{noise_table(records, setting)}'
        for setting in _names(records, 'setting')
        if with_noise_levels(records, setting)
    ]
    if levels:
        parts += ['## Gradient by noise level\n', NOISE_LEVELS, *levels]
    for sweep in _names(records, 'sweep'):
        parts += [f'## Sensitivity: {sweep}\n', sweep_table(records, sweep)]
    parts += ['## Made with\n', _origin(records)]
    return '\n'.join(parts)


def _names(records: list[dict], field: str) -> list[str]:
    return list(dict.fromkeys(record[field] for record in records if record[field] is not None))


def _origin(records: list[dict]) -> str:
    """Every commit, machine and set of versions that a record has."""
    lines = []
    for title, texts in (
        ('commit', (record['commit'] for record in records)),
        ('hardware', (record['hardware'] for record in records)),
        (
            'versions',
            (
                ', '.join(f'{name} {version}' for name, version in record['versions'].items())
                for record in records
            ),
        ),
    ):
        lines += [f'- {title}: {text}' for text in dict.fromkeys(texts)]
    return '\n'.join(lines) + '\n'
