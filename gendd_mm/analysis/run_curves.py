"""Curves of a run, from the JSON log in its work dir. Needs matplotlib to draw."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .picture import check_picture, save_picture

__all__ = ['draw_curves', 'read_curves']

# By step, in its order.
Curve = dict[float, float]
# What is no curve, or is the same in every run.
_NO_CURVES = {'step', 'epoch', 'iter', 'time', 'data_time', 'memory', 'base_lr'}


def read_curves(work_dir: str | Path) -> dict[str, Curve]:
    """All scalars that a run logged.

    A run that was resumed has a folder for each start; where steps were trained twice, the
    later ones count.

    Args:
        work_dir: The folder of the run, with ``<time>/vis_data/scalars.json`` in it.

    Returns:
        By name, values by epoch, where an epoch begun counts by its share of steps; by
        iteration, if the run has no epochs.

    Raises:
        FileNotFoundError: If there is no such log.
        ValueError: If it has no line that can be read.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(
            f'{work_dir} has no */vis_data/scalars.json; give the work dir of a run whose '
            'visualizer has a LocalVisBackend, as all configs here have.'
        )
    curves: dict[str, Curve] = {}
    for log in logs:
        for name, values in _read_log(log).items():
            first = min(values)
            # What was trained again from here on replaces what was there.
            kept = {x: y for x, y in curves.get(name, {}).items() if x < first}
            curves[name] = kept | values
    if not curves:
        raise ValueError(f'{logs[-1]} has no scalars yet; wait for the first line of the log.')
    return curves


def _read_log(path: Path) -> dict[str, Curve]:
    lines = []
    for line in path.read_text(encoding='utf-8').splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # half a line of a run that is going on or was killed
    # Training logs steps, and the last of an epoch says how many it has.
    trained = [line for line in lines if {'epoch', 'iter'} <= set(line)]
    last = {line['epoch']: line['iter'] for line in trained}
    steps = max((iteration / epoch for epoch, iteration in last.items() if epoch), default=1)
    curves: dict[str, Curve] = {}
    for line in lines:
        x = line['iter'] / steps if 'iter' in line else line.get('step')
        if x is None:
            continue
        for name, value in line.items():
            if name not in _NO_CURVES and isinstance(value, int | float):
                curves.setdefault(name, {})[float(x)] = float(value)
    return curves


def draw_curves(
    runs: Mapping[str, Mapping[str, Curve]], path: str | Path, names: Sequence[str] = ()
) -> None:
    """Draw the curves of runs, a panel for each name.

    Args:
        runs: Curves by name of a run, as :func:`read_curves` reads them.
        path: Picture to write; its ending says the format, such as ``.png`` or ``.svg``.
        names: Scalars to draw. Empty draws losses, learning rate and validation.

    Raises:
        ValueError: If a name is in no run, or the picture's ending is unknown.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    known = list(dict.fromkeys(name for curves in runs.values() for name in curves))
    missing = sorted(set(names) - set(known))
    if missing:
        raise ValueError(f'no run has logged {missing}; choose from {sorted(known)}.')
    shown = list(names) or known
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.2 * rows), layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, name in zip(grid, shown, strict=False):
        for run, curves in runs.items():
            if name in curves:
                marker = 'o' if len(curves[name]) < 40 else None
                axes.plot(
                    list(curves[name]),
                    list(curves[name].values()),
                    marker=marker,
                    markersize=3,
                    label=run,
                )
        axes.set(title=name, xlabel='epoch, or iteration')
        axes.grid(alpha=0.3)
    for axes in grid[len(shown) :]:
        axes.remove()
    if len(runs) > 1:
        grid[0].legend(fontsize='small')
    save_picture(figure, path)
