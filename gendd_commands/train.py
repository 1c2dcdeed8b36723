"""Train a model in the stages that its config names.

    gendd-train configs/gendd_digits.py
    bash tools/dist_train.sh configs/digits/gendd_digits_two_stages.py 2 --resume
    torchrun --nproc-per-node 2 -m gendd_commands.train CONFIG --launcher pytorch

The second is for a checkout, the third for several processes without one.
"""

import argparse

from gendd_commands.command_line import add_common_arguments, user_errors


def parse_args() -> tuple[str, dict]:
    """The config, and fields of :class:`gendd_mm.engine.options.RunOptions`."""
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
        help='train from the features that gendd-store-teacher has stored, without the teacher',
    )
    parser.add_argument(
        '--tensorboard',
        action='store_true',
        help='log for TensorBoard too: tensorboard --logdir WORK_DIR',
    )
    add_common_arguments(parser)
    args = vars(parser.parse_args())
    return args.pop('config'), args


def main() -> None:
    """Train."""
    config, args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.engine.options import RunOptions
        from gendd_mm.engine.stages import train_stages
        from gendd_mm.engine.stop_signals import end_with_launcher

        end_with_launcher()
        train_stages(config, RunOptions(**args))


if __name__ == '__main__':
    main()
