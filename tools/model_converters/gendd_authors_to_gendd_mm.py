"""Convert a checkpoint of GenDD by the authors of its paper.

    python tools/model_converters/gendd_authors_to_gendd_mm.py CONFIG SRC DST
    python tools/test.py CONFIG DST

CONFIG is ours of the same pair; the student is a ResNet, a ResNeXt or timm's
MobileNetV1. Its teacher is read too, and compared with the last layer in SRC.
"""

import argparse

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.converters import convert_gendd
from gendd_mm.engine.options import read_run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of GenDD with the same pair')
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    add_cfg_options(parser)
    add_traceback(parser)
    args = parser.parse_args()
    cfg = read_run(args.config, args.cfg_options)
    convert_gendd(args.source, args.target, cfg)
    print(f'wrote {args.target}')


if __name__ == '__main__':
    with user_errors():
        main()
