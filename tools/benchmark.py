"""Run a benchmark, or go on with one, and write its tables and plots.

    python tools/benchmark.py configs/fashion_mnist/benchmark.yml
    python tools/benchmark.py configs/fashion_mnist/benchmark.yml \\
        --only unlabeled --seeds 0
    python tools/benchmark.py configs/fashion_mnist/benchmark.yml --report
    python tools/benchmark.py configs/fashion_mnist/benchmark.yml \\
        --results work_dirs/again/results.jsonl

If it was stopped, the same command goes on from the last checkpoint. A run that
has a line of results is not run again unless its config has changed; with a new
file of ``--results`` all are run. By default two processes share the grid, after
the teachers have had all cores.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from benchmarks.measure import add_device

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.benchmark import TEACHER, Recipe, read_records, run_grid, run_workers, write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Run a benchmark')
    parser.add_argument('recipe', help='YAML file of the benchmark')
    parser.add_argument('--only', nargs='+', metavar='SETTING', help='settings (default: all)')
    parser.add_argument('--seeds', type=int, nargs='+', help='default: those of the recipe')
    parser.add_argument('--methods', nargs='+', metavar='METHOD', help='default: all')
    parser.add_argument(
        '--jobs',
        type=int,
        default=2,
        help='processes that share the grid and the cores (default: 2)',
    )
    parser.add_argument(
        '--results',
        metavar='FILE',
        help='lines of JSON; checkpoints, tables and plots go beside it '
        '(default: as the recipe says). A new file runs everything again',
    )
    parser.add_argument(
        '--report',
        action='store_true',
        help='write the tables and plots of what there is; run nothing',
    )
    parser.add_argument(
        '--no-report', action='store_true', help='run, and write no tables and plots'
    )
    add_device(parser)
    add_traceback(parser)
    args = parser.parse_args()
    if args.device.index:
        parser.error(f'--device {args.device}: choose a GPU by CUDA_VISIBLE_DEVICES instead.')
    if args.device.type == 'cpu' and torch.cuda.is_available():
        # MMEngine takes a GPU wherever it sees one, and so do the processes of a run.
        os.execve(
            sys.executable, [sys.executable, *sys.argv], dict(os.environ, CUDA_VISIBLE_DEVICES='')
        )
    if args.jobs < 1:
        parser.error(f'--jobs {args.jobs} must be at least 1; 1 runs the grid in this process.')
    return args


def run(args: argparse.Namespace, recipe: Recipe) -> None:
    """The grid, in this process or in several after the teachers."""
    if args.jobs == 1:
        run_grid(recipe, args.only, args.seeds, args.methods)
        return
    recipe.runs(args.only, args.seeds, args.methods)  # raises before training
    run_grid(recipe, args.only, args.seeds, [TEACHER])
    threads = max(1, torch.get_num_threads() // args.jobs)
    # An option given twice has its last value.
    command = [sys.executable, *sys.argv, '--jobs', '1', '--no-report']
    run_workers(command, args.jobs, threads)


def main() -> None:
    args = parse_args()
    recipe = Recipe.read(args.recipe)
    if args.results:
        recipe = replace(recipe, results=args.results, work_dir=str(Path(args.results).parent))
    if not args.report:
        try:
            run(args, recipe)
        except KeyboardInterrupt:
            sys.exit(130)
    if args.no_report:
        return
    written = write_report(
        read_records(recipe.results), recipe.comparisons, Path(recipe.results).parent
    )
    print(f'Written: {", ".join(map(str, written))}')


if __name__ == '__main__':
    with user_errors():
        main()
