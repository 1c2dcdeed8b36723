"""The quick start: train, compare, export and classify on the digits.

    gendd-quickstart [--seeds 0 1 2]

Runs the grid of configs/digits/quickstart.yml; if it was stopped, the same
command goes on. Each method has the same student, data, optimiser, epochs and
seeds. All output goes to work_dirs/quickstart.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from gendd_commands.command_line import add_traceback, user_errors

RECIPE = 'configs/digits/quickstart.yml'
FIELDS = ('method', 'seed', 'gen_top1', 'probe_top1', 'seconds')
COLUMNS = ('own output', 'probe as trained', 'training seconds')


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description='Try GenDD on the digits')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='default: 0')
    add_traceback(parser)
    seeds = parser.parse_args().seeds
    with user_errors():
        run(seeds)


def run(seeds: list[int]) -> None:
    """The grid, the export and the table."""
    # Only now: --help needs no stack.
    from rich.console import Console
    from rich.markdown import Markdown

    from gendd_mm.benchmark import Recipe, latest_records, read_records, run_grid, setting_table
    from gendd_mm.shipped import shipped

    recipe = Recipe.read(str(shipped(RECIPE)))
    run_grid(recipe, seeds=seeds)
    records = [
        record
        for record in latest_records(read_records(recipe.results))
        if record['method'] == 'teacher' or record['seed'] in seeds
    ]
    exported_top1 = classify(recipe, seeds[0])

    rows = [{field: record[field] for field in FIELDS} for record in records]
    summary = Path(recipe.work_dir) / 'summary.json'
    summary.write_text(json.dumps(dict(rows=rows, exported_top1=exported_top1), indent=2))
    console = Console()
    console.print(Markdown(setting_table(records, 'digits', COLUMNS)))
    console.print(
        'Top-1 in percent on 597 test images. The own output of GenDD is its generative path; '
        "the others have only their classifier. GenDD's exported student, by MMPretrain alone: "
        f'{exported_top1:.2f}. Written to {summary}.'
    )


def classify(recipe, seed: int) -> float:
    """Export the student of GenDD; its top-1 by MMPretrain alone."""
    from gendd_mm.benchmark import Run, prepare_runs
    from gendd_mm.deploy import export_student
    from gendd_mm.engine.latest_checkpoint import latest_checkpoint
    from gendd_mm.shipped import shipped

    (prepared,) = prepare_runs(recipe, [Run('digits', 'gendd', seed)])
    folder = Path(recipe.work_dir) / 'exported'
    checkpoint = latest_checkpoint(prepared.work_dir)
    assert checkpoint is not None, 'it has just been trained'
    export_student(prepared.cfg, checkpoint, str(folder))
    out = folder / 'top1.json'
    # A process of its own, which does not import gendd_mm.
    tool = shipped('tools/classify_digits.py')
    subprocess.run([sys.executable, tool, folder, out], check=True)
    return json.loads(out.read_text())['top1']


if __name__ == '__main__':
    main()
