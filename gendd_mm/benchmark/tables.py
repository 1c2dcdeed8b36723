"""Markdown tables from records."""

from collections.abc import Sequence

from .recipe import Comparison
from .statistics import Summary, difference, over_seeds

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
GROUPS = ('many', 'medium', 'few')


def setting_table(records: list[dict], setting: str) -> str:
    """The methods of a setting, a row each, in the order of the records."""
    mine = [
        record for record in records if record['setting'] == setting and record['sweep'] is None
    ]
    columns = dict(COLUMNS)
    columns.update(_group_columns(mine))
    rows = []
    for method in dict.fromkeys(record['method'] for record in mine):
        runs = [record for record in mine if record['method'] == method]
        cells = [
            cell(over_seeds(runs, name), factor, digits)
            for name, factor, digits in columns.values()
        ]
        rows.append([method, str(len(runs)), *cells])
    return markdown(['method', 'seeds', *columns], rows)


def sweep_table(records: list[dict], sweep: str) -> str:
    """The values of a sweep, a row each."""
    mine = [record for record in records if record['sweep'] == sweep]
    columns = {
        name: COLUMNS[name] for name in ('own output', 'probe refitted', 'shipped', 'test cost')
    }
    rows = []
    for value in sorted({record['value'] for record in mine}):
        runs = [record for record in mine if record['value'] == value]
        cells = [
            cell(over_seeds(runs, name), factor, digits)
            for name, factor, digits in columns.values()
        ]
        rows.append([str(value), str(len(runs)), *cells])
    return markdown([sweep, 'seeds', *columns], rows)


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
                '-' if summary is None else str(summary.count),
                cell(summary, 1, 2, signed=True),
            ]
        )
    return markdown(['claim', 'setting', 'difference', 'of', 'seeds', 'points'], rows)


def cell(summary: Summary | None, factor: float = 1, digits: int = 2, signed: bool = False) -> str:
    """``mean +- std``, the mean alone of one seed, a dash of none."""
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


def _group_columns(records: list[dict]) -> dict[str, tuple]:
    """Own output by number of training images, where that was measured."""
    found = {name for record in records for name in record.get('groups', {})}
    return {
        group: (f'own/{group}', 1, 2)
        for group in GROUPS
        if found & {f'gen/{group}', f'probe/{group}'}
    }
