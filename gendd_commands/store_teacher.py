"""Run a teacher over its training images once, and store its features to train from.

    gendd-store-teacher CONFIG STORE --views 8
    gendd-train CONFIG --teacher-store STORE

Several processes and machines build one store together; each of them may be stopped and
started again, and the store goes on where it was:

    bash tools/dist_launch.sh 8 store_teacher.py CONFIG STORE --views 8

docs/store.md says when a store pays, and how many views it takes.
"""

import argparse
import os
import sys

from gendd_commands.command_line import (
    add_cfg_options,
    add_traceback,
    shown_command,
    user_errors,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Store the features of a teacher')
    parser.add_argument('config', help='config file of a distillation')
    parser.add_argument('store', help='folder of the store, new or to go on with')
    parser.add_argument(
        '--views', type=int, metavar='K', help='views of each image; epoch e trains on e mod K'
    )
    parser.add_argument('--seed', type=int, help='seed of the views (default: 0)')
    parser.add_argument(
        '--dtype', help='float32, float16 or bfloat16 (default: that of the store, or float16)'
    )
    parser.add_argument('--rows-per-shard', type=int, help='images of a file (default: 16384)')
    parser.add_argument(
        '--pixels',
        action='store_true',
        default=None,
        help='store the views too, so that training augments nothing: for small images',
    )
    parser.add_argument('--batch-size', type=int, help='images at once (default: as in training)')
    parser.add_argument('--num-workers', type=int, help='loading processes (default: as there)')
    parser.add_argument(
        '--verify', action='store_true', help='compare the checksum of every shard, build nothing'
    )
    parser.add_argument('--launcher', help='who started the processes; dist_launch.sh sets it')
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Build the store, or check it; the exit status is 1 if a shard is bad."""
    args = parse_args()
    with user_errors():
        is_good = build_or_verify(args)
    if not is_good:
        sys.exit(1)


def build_or_verify(args: argparse.Namespace) -> bool:
    """What the arguments ask for; returns whether all shards are good."""
    # Only now: --help needs no stack.
    import torch
    from mmengine.logging import MMLogger
    from rich.console import Console
    from rich.progress import Progress

    from gendd_mm.engine.options import read_complete
    from gendd_mm.store_building import open_builder

    rank, world_size = (
        int(os.environ.get(name, os.environ.get(slurm, default)))
        for name, slurm, default in (('RANK', 'SLURM_PROCID', 0), ('WORLD_SIZE', 'SLURM_NTASKS', 1))
    )
    MMLogger.get_current_instance().setLevel('WARNING')  # where each weight starts
    cfg = read_complete(args.config, args.cfg_options)
    device = 'cpu'
    if torch.cuda.is_available():
        device = f'cuda:{int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()}'
    builder = open_builder(
        cfg,
        args.store,
        num_views=args.views,
        seed=args.seed,
        dtype=args.dtype,
        rows_per_shard=args.rows_per_shard,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        device=device,
        pixels=args.pixels,
    )
    description = builder.description
    rows = sum(part.num_images * part.num_views for part in description.parts.values())
    sizes = ' + '.join(
        f'{part.num_images:,} {name} images x {part.num_views} views'
        for name, part in description.parts.items()
    )
    console = Console(quiet=rank != 0)
    console.print(
        f'{sizes} x {sum(description.features.values())} numbers of {description.dtype}'
        f'{" and the pixels" if description.parts["train"].pixels else ""}: '
        f'{description.num_bytes / 1e9:.3g} GB in {builder.store}',
        highlight=False,
        soft_wrap=True,
    )
    with Progress(console=console) as progress:
        task = progress.add_task('checking' if args.verify else 'storing', total=rows)

        def on_rows(count: int) -> None:
            progress.advance(task, count)

        if args.verify:
            faults = builder.verify(on_rows)
        else:
            built = builder.build(rank, world_size, on_rows)
    if args.verify:
        for fault in faults:
            print(fault, file=sys.stderr)
        console.print(f'{len(faults)} shards are missing or damaged.')
        return not faults
    console.print(
        f'done; this process built {built} shards. Train from it by\n'
        f'  {shown_command("train")} {args.config} --teacher-store {args.store}',
        highlight=False,
        soft_wrap=True,
    )
    return True


if __name__ == '__main__':
    main()
