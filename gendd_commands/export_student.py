"""Export the student of a distillation as a plain mmpretrain model.

    gendd-export CONFIG CHECKPOINT OUT_DIR

writes OUT_DIR/student.py and OUT_DIR/student.pth: the student with its probe
as classifier, without teacher or generative head. It loads in mmpretrain alone
unless its backbone is of another package, which is then said.

    gendd-export CONFIG CHECKPOINT OUT_DIR --probe teacher

gives it a classifier fitted to the teacher's scores of the training images, and
``--probe PATH`` the one that gendd-probe-config had trained anew.

    gendd-export CONFIG CHECKPOINT OUT_DIR --backbone

writes it without a classifier: backbone.py, backbone.pth, and, for a network of timm
or torchvision, its weights in that library's own keys.
"""

import argparse

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors

PROBES = ('trained', 'teacher', 'labels')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export the plain student')
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('out_dir', help='folder to write to')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--backbone', action='store_true', help='write no classifier')
    what.add_argument(
        '--probe',
        default='trained',
        metavar='|'.join([*PROBES, 'PATH']),
        help='classifier: the one trained with it (default), one fitted '
        'now to the teacher or the labels of the training images, or that in '
        'the checkpoint of a probe that was trained anew',
    )
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Export it."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.deploy import export_backbone, export_student
        from gendd_mm.engine.options import read_run

        cfg = read_run(args.config, args.cfg_options)
        if args.backbone:
            *paths, needs = export_backbone(cfg, args.checkpoint, args.out_dir)
        else:
            *paths, needs = export_student(cfg, args.checkpoint, args.out_dir, args.probe)
    for path in filter(None, paths):
        print(f'wrote {path}')
    print('needs ' + ' and '.join(['mmpretrain', *needs]))
