"""Train a model in the stages that its config names.

python tools/train.py configs/gendd_digits.py
bash tools/dist_train.sh configs/digits/gendd_digits_two_stages.py 2 --resume
"""

import argparse

from gendd_mm.engine.command_line import add_common_arguments, user_errors
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.stages import train_stages
from gendd_mm.engine.stop_signals import end_with_launcher


def parse_args() -> tuple[str, RunOptions]:
    """The config and how to run it."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint; without a value, from the latest '
        'one in the work dir, or from the beginning if there is none',
    )
    parser.add_argument(
        '--stage',
        type=int,
        choices=[1, 2],
        help='run this stage alone (default: stage 1, if the config names one '
        'and it is not finished, then stage 2)',
    )
    parser.add_argument(
        '--no-validate',
        action='store_false',
        dest='validate',
        help='do not evaluate while training',
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size'
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_false',
        dest='persistent_workers',
        help='start the dataloader workers anew each epoch',
    )
    parser.add_argument(
        '--teacher-store',
        metavar='STORE',
        help='train from the features that tools/store_teacher.py has stored, without the teacher',
    )
    add_common_arguments(parser)
    args = vars(parser.parse_args())
    return args.pop('config'), RunOptions(**args)


if __name__ == '__main__':
    end_with_launcher()
    with user_errors():
        train_stages(*parse_args())
