"""Draw the curves of runs: losses, learning rate, validation.

    gendd-plot-run work_dirs/gendd_digits
    gendd-plot-run work_dirs/kd work_dirs/gendd --names loss probe/top1 --out compared.svg

reads the JSON logs in the work dirs, also while a run goes on or after it was resumed.
"""

import argparse

from gendd_commands.command_line import add_traceback, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw the curves of runs')
    parser.add_argument('work_dirs', nargs='+', help='work dir of each run')
    parser.add_argument('--names', nargs='+', default=[], help='scalars to draw, default all')
    parser.add_argument('--out', help='picture, default curves.png in the first work dir')
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Draw them."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from pathlib import Path

        from gendd_mm.analysis import draw_curves, read_curves

        runs = {str(Path(work_dir)): read_curves(work_dir) for work_dir in args.work_dirs}
        out = args.out or str(Path(args.work_dirs[0]) / 'curves.png')
        draw_curves(runs, out, args.names)
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
