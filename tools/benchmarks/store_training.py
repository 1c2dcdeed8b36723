"""What a whole training costs with a live teacher, and from stores of it.

    bash tools/get_fashion_mnist.sh
    python tools/benchmarks/store_training.py
    python tools/benchmarks/store_training.py --configs configs/fashion_mnist/gendd_flow.py

Trains --epochs epochs live, as the config says, from a store of as many views, and from one
that has the pixels of the views too, in turns, --rounds times; the teacher has random
weights, which cost the same. Seconds and processor time of the training epochs, loading
included, without validation; a ratio is the median of those within a round.
"""

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from rich.console import Console
from rich.table import Table

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.benchmark.training import SECONDS, TrainingClock
from gendd_mm.engine.launch import build_runner
from gendd_mm.engine.options import RunOptions, merge_train, read_complete
from gendd_mm.registry import MODELS
from gendd_mm.store_building import open_builder

ROOT = Path(__file__).parents[2]
CONFIGS = ('configs/fashion_mnist/kd.py', 'configs/fashion_mnist/gendd_flow.py')
KINDS = ('live', 'store', 'with pixels')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--configs', nargs='+', default=[str(ROOT / name) for name in CONFIGS])
    parser.add_argument('--epochs', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=3)
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        columns = [f'{kind}, s (CPU s)' for kind in KINDS]
        table = Table('config', *columns, 'store / live', 'with pixels / live')
        for config in args.configs:
            table.add_row(Path(config).stem, *row(config, args.epochs, args.rounds))
        Console(width=140).print(table)


def row(config: str, epochs: int, rounds: int) -> list[str]:
    """The cells of a config."""
    with tempfile.TemporaryDirectory() as folder:
        options = dict(teacher_ckpt(config, folder))
        for kind in KINDS[1:]:
            builder = open_builder(
                read_complete(config, options),
                f'{folder}/{kind}',
                num_views=epochs,
                pixels=kind == 'with pixels',
            )
            builder.build(0, 1, lambda rows: None)
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in KINDS:
                settings = {**options, 'train_cfg.max_epochs': epochs, 'randomness.seed': number}
                store = None if kind == 'live' else f'{folder}/{kind}'
                work_dir = f'{folder}/{kind}_{number}'
                found[kind].append(trained(config, settings, store, work_dir))
    cells = [
        '{:.1f} ({:.1f})'.format(*(statistics.median(each) for each in zip(*runs, strict=True)))
        for runs in found.values()
    ]
    for kind in KINDS[1:]:
        ratios = [
            statistics.median(
                own[which] / live[which]
                for own, live in zip(found[kind], found['live'], strict=True)
            )
            for which in range(2)
        ]
        cells.append('{:.2f} ({:.2f})'.format(*ratios))
    return cells


def teacher_ckpt(config: str, folder: str) -> dict[str, str]:
    """An option that gives the teacher of a config a checkpoint of random weights."""
    MMLogger.get_current_instance().setLevel(logging.ERROR)  # a line for each weight
    torch.manual_seed(0)
    cfg = read_complete(config)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        teacher = MODELS.build(cfg.model.teacher)
    path = f'{folder}/teacher.pth'
    torch.save(dict(state_dict=teacher.state_dict(), meta={}), path)
    return {'model.teacher_ckpt': path}


def trained(config: str, options: dict, store: str | None, work_dir: str) -> tuple[float, float]:
    """Seconds of the training epochs, and processor time of the whole training."""
    cfg = read_complete(config)
    cfg.log_level = 'ERROR'
    cfg.experiment_name = Path(work_dir).name + Path(config).stem
    run = RunOptions(work_dir=work_dir, cfg_options=options, validate=False, teacher_store=store)
    runner = build_runner(merge_train(cfg, run))
    runner.register_hook(TrainingClock())
    started = time.process_time()
    runner.train()
    used = time.process_time() - started
    return runner.message_hub.runtime_info[SECONDS], used


if __name__ == '__main__':
    main()
