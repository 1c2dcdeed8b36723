"""What a training step costs, part by part, before there is data or a teacher.

    gendd-cost configs/gendd_r50_in1k.py --batch-size 32

builds the networks of a GenDD config with random weights and prints, for each part of
a step, its parameters, multiply-adds of an image, milliseconds and share; then the same
of predictions, and on CUDA the memory at the peak. gendd-inspect-pair checks a pair on
its own images.
"""

import argparse
import json

from gendd_commands.command_line import (
    add_cfg_options,
    add_traceback,
    usable_device,
    user_errors,
)


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description='What a training step costs')
    parser.add_argument('config', help='config file of GenDD')
    parser.add_argument('--batch-size', type=int, default=64, help='images of a step, default 64')
    parser.add_argument('--image-size', type=int, default=224, help='their side, default 224')
    parser.add_argument('--rounds', type=int, default=3, help='timed steps, default 3')
    parser.add_argument(
        '--device',
        type=usable_device,
        help='where to measure, cpu or cuda (default: cuda if there is one)',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    add_cfg_options(parser)
    add_traceback(parser)
    args = parser.parse_args()
    for name in ('batch_size', 'image_size', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} {getattr(args, name)} must be at least 1.')
    return parser, args


def main() -> None:
    """Print the costs."""
    _, args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        import torch
        from mmengine.logging import MMLogger

        from gendd_mm.analysis import step_cost
        from gendd_mm.engine.options import read_run

        device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
        MMLogger.get_current_instance().setLevel('ERROR')  # where each weight starts
        cfg = read_run(args.config, args.cfg_options)
        cost = step_cost(cfg, args.batch_size, args.image_size, args.rounds, device)
    if args.json:
        seconds = {part.name: part.seconds for part in (*cost.parts, cost.whole)}
        print(json.dumps(dict(seconds, peak_bytes=cost.peak_bytes)))
        return
    _print(cost)


def _print(cost) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table('part', 'parameters', 'multiply-adds an image', 'milliseconds', 'share')
    for part in (*cost.parts, cost.whole):
        share = f'{100 * part.seconds / cost.whole.seconds:.1f} %'
        table.add_row(*_cells(part), share)
    table.add_section()
    for part in cost.predictions:
        table.add_row(*_cells(part), '')
    Console(width=110).print(table)
    if cost.peak_bytes is not None:
        print(f'{cost.peak_bytes / 1e9:.2f} GB of memory at the peak')


def _cells(part) -> tuple[str, str, str, str]:
    parameters = '' if part.parameters is None else amount(part.parameters)
    operations = amount(part.multiply_adds) if part.multiply_adds else ''
    return part.name, parameters, operations, f'{1000 * part.seconds:.1f}'


def amount(number: float) -> str:
    """With three digits: 12.3 k, 4.56 M, 7.89 G."""
    for unit in ('', ' k', ' M', ' G'):
        if number < 1000 or unit == ' G':
            break
        number /= 1000
    return f'{number:.3g}{unit}'


if __name__ == '__main__':
    main()
