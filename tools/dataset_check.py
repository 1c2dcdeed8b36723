"""Read all the data of a config before a long run.

    python tools/dataset_check.py configs/gendd_digits.py
    python tools/dataset_check.py CONFIG --only train --limit 10000

Prints images per class, files that cannot be read, lines of annotation files that
cannot, and labels that are no class of the model. Exit status 1 if there are any of
the last three.
"""

import argparse
import sys

from gendd_mm.datasets.check import SPLITS, check_config
from gendd_mm.datasets.check_report import save, show
from gendd_mm.engine.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.engine.options import read_config


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


def main() -> int:
    args = parse_args()
    # A file may have any name, also where the terminal has ASCII alone.
    sys.stdout.reconfigure(errors='backslashreplace')
    # Not checked as a run: a config of data alone will do.
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    reports = check_config(cfg, (args.only,) if args.only else SPLITS, args.num_workers, args.limit)
    show(reports)
    if args.json:
        save(reports, args.json)
    return int(not all(report.is_good for report in reports))


if __name__ == '__main__':
    with user_errors():
        sys.exit(main())
