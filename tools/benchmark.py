"""Run a benchmark, or go on with one, and write its tables and plots.

    python tools/benchmark.py configs/fashion_mnist/benchmark.yml
    python tools/benchmark.py configs/fashion_mnist/benchmark.yml \\
        --only unlabeled --seeds 0
    python tools/benchmark.py configs/fashion_mnist/benchmark.yml --report

Stopped, the same command goes on from the last checkpoint. A run that has a
line of results is not run again unless its config has changed.
"""

import argparse
import sys
from pathlib import Path

from gendd_mm.benchmark import Recipe, read_records, run_grid, write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Run a benchmark')
    parser.add_argument('recipe', help='YAML file of the benchmark')
    parser.add_argument(
        '--only', nargs='+', metavar='SETTING', help='settings (default: all)')
    parser.add_argument(
        '--seeds', type=int, nargs='+', help='default: those of the recipe')
    parser.add_argument(
        '--report',
        action='store_true',
        help='write the tables and plots of what there is; run nothing')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    recipe = Recipe.read(args.recipe)
    if not args.report:
        try:
            run_grid(recipe, args.only, args.seeds)
        except KeyboardInterrupt:
            sys.exit(130)
    written = write_report(
        read_records(recipe.results), recipe.comparisons,
        Path(recipe.results).parent)
    print(f'Written: {", ".join(map(str, written))}')


if __name__ == '__main__':
    main()
