"""The quick start: where a teacher helps, on real digits, in minutes.

    gendd-quickstart [--seeds 0 1 2]

Trains a teacher, and students by the usual choice, by SimKD and by GenDD in its
recommended setting: without labels, on a long tail, and with labels
(configs/digits/quickstart.yml). Then it exports a student and classifies with it. If it
was stopped, the same command goes on. All output goes to work_dirs/quickstart.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from gendd_commands.command_line import add_traceback, user_errors

RECIPE = 'configs/digits/quickstart.yml'
SETTINGS = {
    'unlabeled': 'without labels, shifted',
    'long_tailed': 'long tail',
    'supervised': 'with labels',
}
METHODS = {
    'KD; KL without labels': ('kd', 'kl'),
    'SimKD': ('simkd',),
    'GenDD, recommended': ('gendd_recommended',),
}
JOBS = 2


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description='Try GenDD on the digits')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument('--worker', action='store_true', help=argparse.SUPPRESS)
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        if args.worker:
            share(args.seeds)
        else:
            run(args.seeds)


def share(seeds: list[int]) -> None:
    """A part of the grid, beside another process."""
    from gendd_mm.benchmark import Recipe, run_grid
    from gendd_mm.shipped import shipped

    run_grid(Recipe.read(str(shipped(RECIPE))), seeds=seeds)


def run(seeds: list[int]) -> None:
    """The grid, the export, the table and the picture."""
    # Only now: --help needs no stack.
    from rich.console import Console
    from rich.markdown import Markdown

    from gendd_mm.benchmark import (
        TEACHER,
        Recipe,
        latest_records,
        overview_table,
        plot_settings,
        read_records,
        run_grid,
        run_workers,
    )
    from gendd_mm.shipped import shipped

    recipe = Recipe.read(str(shipped(RECIPE)))
    run_grid(recipe, seeds=seeds, methods=[TEACHER])
    own = [sys.executable, '-m', 'gendd_commands.quickstart', '--worker']
    run_workers([*own, '--seeds', *map(str, seeds)], JOBS)
    records = [
        record
        for record in latest_records(read_records(recipe.results))
        if record['method'] != TEACHER and record['seed'] in seeds
    ]
    exported_top1 = classify(recipe, seeds[0])

    folder = Path(recipe.work_dir)
    fields = ('setting', 'method', 'seed', 'gen_top1', 'shipped_top1', 'seconds')
    rows = [{field: record[field] for field in fields} for record in records]
    summary, picture = folder / 'summary.json', folder / 'results.png'
    summary.write_text(json.dumps(dict(rows=rows, exported_top1=exported_top1), indent=2))
    plot_settings(records, SETTINGS, METHODS, picture)
    console = Console()
    console.print(Markdown(overview_table(records, SETTINGS, METHODS)))
    console.print(
        f'Top-1 in percent of what ships, on 597 test images: mean over seeds {seeds} and its '
        "95 % interval. GenDD's student without labels, exported and read by MMPretrain: "
        f'{exported_top1:.2f}. Written to {summary} and {picture}.'
    )


def classify(recipe, seed: int) -> float:
    """Export GenDD's student that had no labels; its top-1 by MMPretrain's inferencer."""
    from gendd_mm.benchmark import Run, prepare_runs
    from gendd_mm.deploy import export_student
    from gendd_mm.engine.latest_checkpoint import latest_checkpoint
    from gendd_mm.shipped import shipped

    (prepared,) = prepare_runs(recipe, [Run('unlabeled', 'gendd_recommended', seed)])
    folder = Path(recipe.work_dir) / 'exported'
    checkpoint = latest_checkpoint(prepared.work_dir)
    assert checkpoint is not None, 'it has just been trained'
    assert prepared.teacher is not None, 'a student has one'
    teacher_ckpt = latest_checkpoint(prepared.teacher.work_dir)
    # That of a runner states the sizes which the config leaves open.
    export_student(prepared.runner_config(teacher_ckpt), checkpoint, str(folder))
    out = folder / 'top1.json'
    tool = shipped('tools/classify_digits.py')
    subprocess.run([sys.executable, tool, folder, out], check=True)
    return json.loads(out.read_text())['top1']


if __name__ == '__main__':
    main()
