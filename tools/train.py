"""Train a model.

    python tools/train.py configs/gendd_digits.py
    bash tools/dist_train.sh configs/gendd_digits.py 2
"""

import argparse

from gendd_mm.engine.launch import add_common_arguments, train


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a value, from the latest '
        'one in the work dir')
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate while training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size')
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='start the dataloader workers anew each epoch')
    add_common_arguments(parser)
    return parser.parse_args()


if __name__ == '__main__':
    train(parse_args())
