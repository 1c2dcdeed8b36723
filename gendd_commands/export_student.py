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

    gendd-export CONFIG CHECKPOINT OUT_DIR --format onnx torch_export

writes other formats and a model card beside them, each compared with the student on test
images. docs/export.md
"""

import argparse
import shlex
import sys

from gendd_commands.command_line import (
    add_cfg_options,
    add_traceback,
    shown_command,
    user_errors,
)

PROBES = ('trained', 'teacher', 'labels')
FORMATS = (
    'mmpretrain',
    'onnx',
    'torchscript',
    'torch_export',
    'timm',
    'torchvision',
    'safetensors',
)


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
    parser.add_argument(
        '--format',
        nargs='+',
        dest='formats',
        metavar='NAME',
        help=f'further formats, and a model card: {", ".join(FORMATS)}',
    )
    parser.add_argument(
        '--generative',
        action='store_true',
        help='with --format onnx: the generative path, too, as generative.onnx',
    )
    parser.add_argument(
        '--with-preprocessing',
        action='store_true',
        help='graphs (onnx, torchscript, torch_export) take RGB or grey levels of 0 to 255, '
        'resized and cropped, and normalise them',
    )
    add_cfg_options(parser)
    add_traceback(parser)
    args = parser.parse_args()
    if args.formats and args.backbone:
        parser.error('--format is of a student with its classifier; leave out --backbone.')
    if args.generative and 'onnx' not in (args.formats or ()):
        parser.error('--generative writes ONNX; add --format onnx, or leave it out.')
    if args.with_preprocessing and not args.formats:
        parser.error('--with-preprocessing is of graphs; add --format onnx, or leave it out.')
    return args


def main() -> None:
    """Export it."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.deploy import check_formats, export_backbone, export_student, graph_model
        from gendd_mm.engine.options import read_run

        check_formats(args.formats or ())
        cfg = read_run(args.config, args.cfg_options)
        # First: it may refuse the run.
        generative = graph_model(cfg, args.checkpoint) if args.generative else None
        if args.backbone:
            *paths, needs = export_backbone(cfg, args.checkpoint, args.out_dir)
        else:
            exported = export_student(cfg, args.checkpoint, args.out_dir, args.probe)
            *paths, needs = exported
            if args.formats:
                paths += _further(args, cfg, exported, generative)
    for path in filter(None, paths):
        print(f'wrote {path}')
    print('needs ' + ' and '.join(['mmpretrain', *needs]))


def _further(args: argparse.Namespace, cfg, exported, generative) -> list[str]:
    """Write other formats and the model card; their paths."""
    from gendd_mm.deploy import write_formats, write_generative, write_model_card

    formats = dict.fromkeys(['mmpretrain', *args.formats])
    student, written = write_formats(cfg, exported, list(formats), args.with_preprocessing)
    if generative is not None:
        written.append(write_generative(generative, student, args.with_preprocessing))
    tool = shown_command('export_student').replace('gendd-export-student', 'gendd-export')
    command = f'{tool} {shlex.join(sys.argv[1:])}'
    card = write_model_card(
        cfg, args.checkpoint, student, written, command, args.with_preprocessing
    )
    further = [each for each in written if each.name != 'mmpretrain']
    for each in further:
        print(f'{each.name}: scores of {student.source} differ by up to {each.difference:.1e}')
    return [*(each.path for each in further), card]
