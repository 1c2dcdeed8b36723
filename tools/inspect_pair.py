"""Check a pair before it is trained, and say what it is and costs.

    python tools/inspect_pair.py CONFIG

builds teacher and student, runs one batch of training images, and prints what the
target and the condition are, how large both networks are, whether the gradient reaches
the whole student, and how long a step and the predictions take.
"""

import argparse

from mmengine.logging import MMLogger

from gendd_mm.engine.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.engine.options import read_run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check and describe a pair')
    parser.add_argument('config', help='config file of GenDD')
    parser.add_argument('--batch-size', type=int, default=8, help='images to run, default 8')
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')  # where each weight starts
    cfg = read_run(args.config, args.cfg_options)
    # Only now: --help needs no stack.
    from gendd_mm.pair_report import inspect_pair

    rows = inspect_pair(cfg, args.batch_size)
    width = max(len(name) for name, _ in rows)
    for name, found in rows:
        print(f'{name:{width}}  {found}')


if __name__ == '__main__':
    with user_errors():
        main()
