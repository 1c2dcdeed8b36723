"""Read all the data of a config before a long run.

    gendd-check configs/gendd_digits.py
    gendd-check CONFIG --only train --limit 10000

Prints images per class, files that cannot be read, lines of annotation files that
cannot, and labels that are no class of the model. Exit status 1 if there are any of
the last three.
"""

import argparse
import io
import sys

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors

SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check the data of a config')
    parser.add_argument('config', help='config file')
    parser.add_argument('--only', choices=SPLITS, help='read this dataset alone')
    parser.add_argument('--num-workers', type=int, default=4, help='default: 4')
    parser.add_argument(
        '--limit', type=int, metavar='N', help='read N samples of each dataset, evenly spread'
    )
    parser.add_argument('--json', metavar='FILE', help='write all that was found there')
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Read it; the exit status is 1 if something is wrong."""
    args = parse_args()
    # A file may have any name, also where the terminal has ASCII alone.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.datasets.check import check_config
        from gendd_mm.datasets.check_report import save, show
        from gendd_mm.engine.options import read_config

        # Not checked as a run: a config of data alone will do.
        cfg = read_config(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        splits = (args.only,) if args.only else SPLITS
        reports = check_config(cfg, splits, args.num_workers, args.limit)
        show(reports)
        if args.json:
            save(reports, args.json)
    if not all(report.is_good for report in reports):
        sys.exit(1)
