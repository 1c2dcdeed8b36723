"""Check a pair before it is trained, and say what it is and costs.

    gendd-inspect-pair CONFIG

builds teacher and student, runs one batch of training images, and prints what the
target and the condition are, how large both networks are, whether the gradient reaches
the whole student, and how long a step and the predictions take.
"""

import argparse

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check and describe a pair')
    parser.add_argument('config', help='config file of GenDD')
    parser.add_argument('--batch-size', type=int, default=8, help='images to run, default 8')
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Print the report."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from mmengine.logging import MMLogger

        from gendd_mm.analysis.pair_report import inspect_pair
        from gendd_mm.engine.options import read_run

        MMLogger.get_current_instance().setLevel('ERROR')  # where each weight starts
        rows = inspect_pair(read_run(args.config, args.cfg_options), args.batch_size)
    width = max(len(name) for name, _ in rows)
    for name, found in rows:
        print(f'{name:{width}}  {found}')
