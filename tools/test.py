"""Evaluate a checkpoint.

python tools/test.py configs/gendd_digits.py CHECKPOINT
bash tools/dist_test.sh configs/gendd_digits.py CHECKPOINT 2
"""

import argparse

from gendd_mm.engine.launch import test
from gendd_mm.engine.options import add_common_arguments


def parse_args() -> argparse.Namespace:
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
    return parser.parse_args()


if __name__ == '__main__':
    test(parse_args())
