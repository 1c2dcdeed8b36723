"""The command line that the converters share."""

import argparse
from collections.abc import Mapping, Sequence

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.converters.architecture import Architecture
from gendd_mm.converters.convert import convert_checkpoint


def run(
    description: str, architectures: Mapping[str, Architecture], args: Sequence[str] | None = None
) -> None:
    """Convert the checkpoint that the command line names.

    Args:
        description: Text of the help.
        architectures: The networks that can be converted, by name.
        args: The arguments. None reads those of the process.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('arch', choices=architectures, help='network of the checkpoint')
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    add_traceback(parser)
    parsed = parser.parse_args(args)
    with user_errors():
        num_classes = convert_checkpoint(parsed.source, parsed.target, architectures[parsed.arch])
    print(f'wrote {parsed.target}: {parsed.arch}, {num_classes} classes')
