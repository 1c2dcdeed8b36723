"""Draw the results of README's first page: docs/images/results.svg.

    python docs/images/draw_results.py

From docs/benchmark/results.jsonl alone: top-1 of each method's own output on
Fashion-MNIST, mean and standard deviation over three seeds. Needs matplotlib.
"""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from gendd_mm.benchmark import latest_records, read_records
from gendd_mm.benchmark.statistics import Summary, by_method, over_seeds

DOCS = Path(__file__).resolve().parent.parent
SETTINGS = {
    'supervised': 'with labels',
    'unlabeled': 'without labels',
    'long_tailed': 'long tail',
}
# From below. KL is KD without labels: a row has the first of its methods that was run.
METHODS = {
    'student alone': ('student',),
    'MGD': ('mgd',),
    'DKD': ('dkd',),
    'KD; KL without labels': ('kd', 'kl'),
    'LSKD': ('lskd',),
    'SimKD, whose projector ships': ('simkd',),
    "GenDD's network as a regression": ('regression',),
    'GenDD, one token': ('gendd_naive',),
    'GenDD as in the paper': ('gendd',),
    'GenDD, x0, unit variance': ('gendd_x0',),
    'GenDD, rectified flow, unit variance': ('gendd_flow',),
}


def results(records: list[dict]) -> dict[str, dict[str, Summary]]:
    """Top-1 of the own output by setting and row; what was not run is left out."""
    found: dict[str, dict[str, Summary]] = {}
    for setting in SETTINGS:
        methods = by_method(records, setting)
        found[setting] = {}
        for row, names in METHODS.items():
            runs = next((methods[name] for name in names if name in methods), [])
            summary = over_seeds(runs, 'own_top1')
            if summary is not None:
                found[setting][row] = summary
    return found


def draw(found: dict[str, dict[str, Summary]]) -> Figure:
    """A panel for each setting, a row for each method."""
    figure = Figure(figsize=(9.2, 3.5), layout='constrained')
    panels = figure.subplots(1, len(SETTINGS), sharey=True)
    rows = list(METHODS)
    for panel, (setting, title) in zip(panels, SETTINGS.items(), strict=True):
        # The naive head is far below the others; it stands at the edge, with its number.
        shown = {r: s for r, s in found[setting].items() if r != 'GenDD, one token'}
        low = min(s.mean - (s.std or 0) for s in shown.values()) - 1
        for row, summary in found[setting].items():
            y = rows.index(row)
            color = '#7c3aed' if METHODS[row][0].startswith('gendd') else '#6b7280'
            if row in shown:
                panel.errorbar(
                    summary.mean, y, xerr=summary.std, marker='o', ms=5, capsize=3, color=color
                )
            else:
                panel.text(low, y, f' ← {summary.mean:.1f}', va='center', color=color, fontsize=8)
        panel.set(title=title, xlabel='top-1, %')
        panel.set_xlim(left=low)
        panel.set_yticks(range(len(rows)), rows)
        panel.grid(axis='x', color='#e5e7eb')
        panel.set_axisbelow(True)
        panel.spines[['top', 'right']].set_visible(False)
    return figure


if __name__ == '__main__':
    records = latest_records(read_records(DOCS / 'benchmark' / 'results.jsonl'))
    # The same file for the same records, so that a commit shows changes.
    with matplotlib.rc_context({'svg.hashsalt': 'gendd_mm', 'font.size': 9}):
        draw(results(records)).savefig(DOCS / 'images' / 'results.svg', metadata={'Date': None})
