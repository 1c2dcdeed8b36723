"""What a store of K views costs in accuracy.

    bash tools/get_fashion_mnist.sh
    python tools/train.py configs/fashion_mnist/teacher.py
    python tools/benchmarks/store_accuracy.py --seeds 0 1 2

Trains a student of Fashion-MNIST live, with new crops in every epoch, and from stores of
1, 2, 4, 8 views and of as many as epochs, and tests it once, with the seconds of its
training. The store has the largest number of views, and a run reads the first K. A line
per run goes to --out; what is there already is not run again.
"""

import argparse
import itertools
import time
from pathlib import Path

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.benchmark.records import append_record, provenance, read_records
from gendd_mm.benchmark.report import cell, markdown
from gendd_mm.benchmark.statistics import Summary
from gendd_mm.benchmark.training import SECONDS, TrainingClock
from gendd_mm.engine.launch import build_runner
from gendd_mm.engine.options import RunOptions, merge_train, read_complete, read_config
from gendd_mm.store_building import open_builder

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs' / 'fashion_mnist' / 'gendd_flow.py')
METRICS = dict(gen='val/gen/top1', probe='val/probe/top1')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', default=CONFIG)
    parser.add_argument('--teacher-ckpt', help='checkpoint of the teacher (default: the config)')
    parser.add_argument('--epochs', type=int, default=24)
    parser.add_argument('--views', type=int, nargs='+', default=[0, 1, 2, 4, 8, 24], help='0: live')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--out', default='docs/benchmark/store.jsonl')
    parser.add_argument('--work-dir', default='work_dirs/store_accuracy')
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        store = f'{args.work_dir}/store'
        options = _options(args)
        if any(args.views):
            _build(args, options, store)
        for seed, views in itertools.product(args.seeds, args.views):
            done = {(each['views'], each['seed']) for each in read_records(args.out)}
            if (views, seed) in done:
                continue
            found = trained(args, {**options, 'randomness.seed': seed}, seed, views, store)
            record = dict(config=Path(args.config).stem, epochs=args.epochs, views=views, seed=seed)
            append_record(args.out, record | found | provenance())
            print(record | found, flush=True)
    print(table(read_records(args.out)))


def table(records: list[dict]) -> str:
    """Mean and standard deviation over seeds of each number of views, in Markdown."""
    rows = []
    for views in sorted({each['views'] for each in records}):
        found = [each for each in records if each['views'] == views]
        cells = [
            cell(Summary.of([each[name] for each in found]), digits=2)
            for name in METRICS  # not seconds: runs may have shared a machine
        ]
        name = f'{views}' if views else 'live, new in every epoch'
        rows.append([name, *cells, str(len(found))])
    return markdown(['views', 'generative', 'probe', 'seeds'], rows)


def _options(args: argparse.Namespace) -> dict:
    """What changes in the config: its epochs, and where its teacher is."""
    cfg = read_config(args.config)
    options: dict = {'train_cfg.max_epochs': args.epochs, 'train_cfg.val_interval': args.epochs}
    for index, scheduler in enumerate(cfg.param_scheduler):
        if scheduler.get('end') == cfg.train_cfg.max_epochs:
            options[f'param_scheduler.{index}.end'] = args.epochs
    if args.teacher_ckpt:
        options['model.teacher_ckpt'] = args.teacher_ckpt
    return options


def _build(args: argparse.Namespace, options: dict, store: str) -> None:
    started = time.monotonic()
    builder = open_builder(read_complete(args.config, options), store, num_views=max(args.views))
    if builder.build(0, 1, lambda rows: None):
        seconds = time.monotonic() - started
        size = builder.description.num_bytes / 1e6
        print(f'{size:.1f} MB of features in {seconds:.0f} s', flush=True)


def trained(
    args: argparse.Namespace, options: dict, seed: int, views: int, store: str
) -> dict[str, float]:
    """Train live or from a store; test accuracies in percent, and seconds of the training."""
    if views:
        options = {**options, 'views': dict(num_views=views)}
    cfg = merge_train(
        read_config(args.config),
        RunOptions(
            work_dir=f'{args.work_dir}/views{views}-seed{seed}',
            cfg_options=options,
            teacher_store=store if views else None,
        ),
    )
    cfg.experiment_name = f'store_accuracy_{views}_{seed}'
    cfg.log_level = 'WARNING'
    runner = build_runner(cfg)
    runner.register_hook(TrainingClock())
    runner.train()
    hub = runner.message_hub
    accuracies = {
        name: float(hub.get_scalar(key).current())
        for name, key in METRICS.items()
        if key in hub.log_scalars
    }
    return {**accuracies, 'seconds': hub.runtime_info[SECONDS]}


if __name__ == '__main__':
    main()
