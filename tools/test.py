"""Evaluate a checkpoint.

python tools/test.py configs/gendd_digits.py CHECKPOINT
bash tools/dist_test.sh configs/gendd_digits.py CHECKPOINT 2
"""

import argparse

from gendd_mm.engine.command_line import add_common_arguments, user_errors
from gendd_mm.engine.launch import run_test
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.stop_signals import end_with_launcher


def parse_args() -> dict:
    """The arguments of :func:`gendd_mm.engine.launch.run_test`."""
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='file to write the results to')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what to write there; predictions by default',
    )
    add_common_arguments(parser)
    args = vars(parser.parse_args())
    own = {name: args.pop(name) for name in ('config', 'checkpoint', 'out', 'out_item')}
    return dict(own, options=RunOptions(**args))


if __name__ == '__main__':
    end_with_launcher()
    with user_errors():
        run_test(**parse_args())
