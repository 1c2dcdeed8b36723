"""The quick start: train, compare, export and classify on the digits.

    bash tools/quickstart.sh [--seeds 0 1 2]

Runs the grid of configs/digits/quickstart.yml; if it was stopped, the same
command goes on. Each method has the same student, data, optimiser, epochs and
seeds. All output goes to work_dirs/quickstart.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from gendd_mm.benchmark import (
    Recipe,
    Run,
    latest_records,
    prepare_runs,
    read_records,
    run_grid,
    setting_table,
)
from gendd_mm.deploy import export_student
from gendd_mm.engine.command_line import add_traceback, user_errors
from gendd_mm.engine.latest_checkpoint import latest_checkpoint

FIELDS = ('method', 'seed', 'gen_top1', 'probe_top1', 'seconds')
COLUMNS = ('own output', 'probe as trained', 'training seconds')


def classify(run: Run, recipe: Recipe) -> float:
    """Export the student of a run; its top-1 by MMPretrain alone."""
    (prepared,) = prepare_runs(recipe, [run])
    folder = Path(recipe.work_dir) / 'exported'
    export_student(prepared.cfg, latest_checkpoint(prepared.work_dir), str(folder))
    out = folder / 'top1.json'
    # A process of its own, which does not import gendd_mm.
    tool = Path(__file__).with_name('classify_digits.py')
    subprocess.run([sys.executable, tool, folder, out], check=True)
    return json.loads(out.read_text())['top1']


def main() -> None:
    parser = argparse.ArgumentParser(description='Try GenDD on the digits')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='default: 0')
    add_traceback(parser)
    seeds = parser.parse_args().seeds

    recipe = Recipe.read('configs/digits/quickstart.yml')
    run_grid(recipe, seeds=seeds)
    records = [
        record
        for record in latest_records(read_records(recipe.results))
        if record['method'] == 'teacher' or record['seed'] in seeds
    ]
    exported_top1 = classify(Run('digits', 'gendd', seeds[0]), recipe)

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


if __name__ == '__main__':
    with user_errors():
        main()
