"""Evaluate a checkpoint.

gendd-test configs/gendd_digits.py CHECKPOINT
bash tools/dist_test.sh configs/gendd_digits.py CHECKPOINT 2
"""

import argparse

from gendd_commands.command_line import add_common_arguments, user_errors


def parse_args() -> tuple[dict, dict]:
    """Arguments of :func:`gendd_mm.engine.launch.run_test`, and fields of its ``options``."""
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
    return own, args


def main() -> None:
    """Evaluate."""
    own, args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.engine.launch import run_test
        from gendd_mm.engine.options import RunOptions
        from gendd_mm.engine.stop_signals import end_with_launcher

        end_with_launcher()
        run_test(**own, options=RunOptions(**args))


if __name__ == '__main__':
    main()
