"""Plots from records, as PNG and SVG. Needs matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .recipe import TEACHER
from .statistics import (
    Summary,
    by_method,
    level_over_seeds,
    noise_levels_by_method,
    over_seeds,
    overview,
)

Point = tuple[float, float]


def pareto_front(points: list[Point]) -> list[Point]:
    """The points (cost, accuracy) that no cheaper one matches, by cost."""
    front: list[Point] = []
    # At equal cost the best first, which then hides the others.
    for cost, accuracy in sorted(points, key=lambda p: (p[0], -p[1])):
        if not front or accuracy > front[-1][1]:
            front.append((cost, accuracy))
    return front


def plot_cost(records: list[dict], setting: str, folder: Path) -> list[Path]:
    """Top-1 against test cost of a setting's methods, and the Pareto front.

    Each method has a point for its own output and, at the student's cost, one for the
    student that ships.
    """
    figure, axes = _axes()
    points = []
    for method, runs in by_method(records, setting).items():
        if method == TEACHER:
            continue
        color = None
        for metric, cost, marker in (
            ('own_top1', 'gmacs', 'o'),
            ('shipped_top1', 'student_gmacs', 's'),
        ):
            top1, macs = over_seeds(runs, metric), over_seeds(runs, cost)
            if top1 is None or macs is None:
                continue
            x = macs.mean * 1e3
            points.append((x, top1.mean))
            bars = axes.errorbar(
                x,
                top1.mean,
                yerr=top1.std,
                marker=marker,
                capsize=3,
                color=color,
                label=None if color else method,
            )
            color = bars.lines[0].get_color()
    front = pareto_front(points)
    axes.plot(*zip(*front, strict=True), color='grey', linewidth=1, zorder=0)
    axes.set(
        xscale='log',
        xlabel='million multiply-adds per test image',
        ylabel='top-1, %',
        title=f'{setting}: own output (round), shipped student (square)',
    )
    axes.legend(fontsize='small')
    return _save(figure, folder / f'cost_{setting}')


def plot_settings(
    records: list[dict],
    settings: Mapping[str, str],
    methods: Mapping[str, Sequence[str]],
    path: Path,
    name: str = 'shipped_top1',
) -> None:
    """A panel for each setting, a row for each method: mean and 95 % interval over seeds.

    Arguments as for :func:`overview_table`; ours are the methods whose name begins with
    ``gendd``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(settings) + 1.5, 0.45 * len(methods) + 1.2))
    figure.set_layout_engine('constrained')
    panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
    rows = list(methods)[::-1]
    found = overview(records, settings, methods, name)
    for column, (panel, title) in enumerate(zip(panels, settings.values(), strict=True)):
        for y, row in enumerate(rows):
            summary = found[row][column]
            if summary is None:
                continue
            ours = methods[row][0].startswith('gendd')
            color = '#7c3aed' if ours else '#6b7280'
            panel.errorbar(
                summary.mean, y, xerr=summary.interval(), marker='o', capsize=3, color=color
            )
            panel.annotate(
                f'{summary.mean:.1f}',
                (summary.mean, y),
                (0, 6),
                textcoords='offset points',
                ha='center',
                fontsize=8,
                color=color,
            )
        panel.set(title=title, xlabel='top-1, %', ylim=(-0.5, len(rows) - 0.3))
        panel.set_yticks(range(len(rows)), rows)
        panel.margins(x=0.15)
        panel.grid(axis='x', color='#e5e7eb')
        panel.set_axisbelow(True)
        panel.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=150)


def plot_sweep(records: list[dict], sweep: str, folder: Path) -> list[Path]:
    """Top-1 at each value of a sweep, mean and standard deviation."""
    mine = [record for record in records if record['sweep'] == sweep]
    figure, axes = _axes()
    values = sorted({record['value'] for record in mine})
    for metric, label in (
        ('own_top1', 'own output'),
        ('refit_top1', 'probe refitted'),
        ('shipped_top1', 'shipped'),
    ):
        summaries = {
            value: over_seeds([record for record in mine if record['value'] == value], metric)
            for value in values
        }
        _plot_means(axes, {x: y for x, y in summaries.items() if y is not None}, label)
    axes.set(
        xlabel=sweep.replace('_', ' '),
        ylabel='top-1, %',
        title=f'{mine[0]["method"]}, {mine[0]["setting"]}',
    )
    axes.legend(fontsize='small')
    return _save(figure, folder / f'sweep_{sweep}')


def plot_noise_levels(records: list[dict], setting: str, folder: Path) -> list[Path]:
    """Gradient at each noise level, mean and standard deviation over seeds."""
    figure, axes = _axes()
    for method, runs in noise_levels_by_method(records, setting).items():
        means = {
            (level['low'] + level['high']) / 2: level_over_seeds(runs, i, 'signal')
            for i, level in enumerate(runs[0])
            if level['low'] is not None
        }
        _plot_means(axes, means, method)
    axes.set(
        yscale='log',
        xlabel='noise level, 0 clean to 1 pure noise',
        ylabel='mean gradient by the student feature',
        title=setting,
    )
    axes.legend(fontsize='small')
    return _save(figure, folder / f'noise_{setting}')


def _plot_means(axes, means: dict[float, Summary], label: str) -> None:
    """Points with their standard deviations, by their place on the x axis."""
    if means:
        axes.errorbar(
            list(means),
            [summary.mean for summary in means.values()],
            yerr=[summary.std or 0 for summary in means.values()],
            marker='o',
            capsize=3,
            label=label,
        )


def _axes():
    """A new figure and its axes."""
    # Without a screen, and without a global figure to close.
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout='constrained')
    axes = figure.subplots()
    # A setting has more methods than the ten colours of the default.
    axes.set_prop_cycle('color', [colormaps['tab20'](i) for i in range(20)])
    return figure, axes


def _save(figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.svg``."""
    import matplotlib

    paths = []
    # The same file for the same records, so that a commit shows changes.
    with matplotlib.rc_context({'svg.hashsalt': 'gendd_mm'}):
        for suffix, metadata in (('.png', {}), ('.svg', {'Date': None})):
            paths.append(stem.with_suffix(suffix))
            figure.savefig(paths[-1], dpi=150, metadata=metadata)
    return paths
