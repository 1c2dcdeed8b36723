"""What a step costs with a live teacher, and from a store of its features.

    python tools/benchmarks/store.py
    python tools/benchmarks/store.py --configs configs/gendd_r50_in1k.py --batch-size 2

Networks and shapes are those of the configs, with random weights, images and labels. Live
and stored steps take turns; their medians, their multiply-adds, memory (weights, and a step's
at its peak), and the rate at which rows of a store are read in random order.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measure import add_device, peak_bytes, seconds
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.table import Table
from safetensors.torch import save
from torch.utils.flop_counter import FlopCounterMode

from gendd_commands.command_line import add_traceback, user_errors
from gendd_mm.analysis import random_model
from gendd_mm.engine.grouped_parameters import group_parameters
from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import read_complete
from gendd_mm.models import GenDD
from gendd_mm.models.stored_teacher import FIELD
from gendd_mm.teacher_store import (
    CLASSIFIER,
    FILE,
    Description,
    Part,
    TeacherStore,
    as_stored,
    shard_bytes,
)

CONFIGS = Path(__file__).parents[2] / 'configs'
# Config: channels, side of an image, images of a step.
SHAPES = {
    'gendd_digits.py': (3, 8, 16),
    'fashion_mnist/gendd_flow.py': (1, 28, 64),
    'imagenet/gendd_resnet34_resnet18_8xb64_in1k.py': (3, 64, 16),
    'gendd_r50_in1k.py': (3, 224, 4),
}
ROWS = 50_000  # of the store whose reading is timed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--configs', nargs='+', default=[str(CONFIGS / name) for name in SHAPES])
    parser.add_argument('--batch-size', type=int, help='default: by the config')
    parser.add_argument('--rounds', type=int, default=5)
    add_device(parser)
    add_traceback(parser)
    args = parser.parse_args()
    with user_errors():
        columns = ('images', 'multiply-adds an image', 'milliseconds', 'memory')
        table = Table('config', *columns, 'read from the store', title='live / stored / ratio')
        for config in args.configs:
            table.add_row(config, *row(config, args))
        Console(width=160).print(table)


def row(config: str, args: argparse.Namespace) -> list[str]:
    """The cells of a config."""
    channels, side, batch_size = shape_of(config)
    batch_size = args.batch_size or batch_size
    with tempfile.TemporaryDirectory() as folder:
        live = build_live(config, args.device)
        write_store(folder, live, ROWS)
        stored = build_stored(config, folder, args.device)
        runs = {
            name: Steps(model, config, (batch_size, channels, side))
            for name, model in (('live', live), ('stored', stored))
        }
        counts = [multiply_adds(run) / batch_size for run in runs.values()]
        times = list(seconds(runs, args.rounds, args.device).values())
        rate = read_rate(folder)
        shape = (batch_size, channels, side)
        weights = [weight_bytes(model) for model in (live, stored)]
        del live, stored, runs
        memory = [
            weights[index]
            + peak_bytes(partial(step_of, config, folder, shape, name, args.device), args.device)
            for index, name in enumerate(('live', 'stored'))
        ]
    return [
        f'{batch_size} x {channels} x {side} x {side}',
        compared([count / 1e9 for count in counts], 'G'),
        compared([1e3 * value for value in times], 'ms'),
        compared([value / 1e9 for value in memory], 'GB'),
        rate,
    ]


def shape_of(config: str) -> tuple[int, int, int]:
    """Channels, side and number of images for a config."""
    for name, shape in SHAPES.items():
        if str(config).endswith(name):
            return shape
    return 3, 224, 8


def compared(values: list[float], unit: str) -> str:
    """Two values and their ratio."""
    live, stored = values
    return f'{live:.3g} / {stored:.3g} {unit} / {stored / live:.2f}'


def write_store(folder: str, model: GenDD, rows: int) -> None:
    """A store with features of noise, as large as those of a model's teacher."""
    classifier, name = model.teacher.classifier, model.teacher.classifier_name
    size = classifier.in_features
    description = Description(
        teacher='',
        teacher_type=type(model.teacher.model).__name__,
        precision='float32',
        normalization=None,
        classifier=name,
        features=dict(target=size),
        dtype='float16',
        rows_per_shard=16384,
        parts=dict(train=Part(rows, 1, 0, '', [], None)),
        versions={},
    )
    for shard in description.shards():
        path = Path(folder) / shard.path
        path.parent.mkdir(parents=True, exist_ok=True)
        features = as_stored(torch.randn(shard.last - shard.first, size), 'float16')
        path.write_bytes(shard_bytes(dict(target=features)))
    weights = classifier.state_dict(prefix=f'{name}.')
    weights = {key: value.cpu().contiguous() for key, value in weights.items()}
    (Path(folder) / CLASSIFIER).write_bytes(save(weights))
    (Path(folder) / FILE).write_text(description.as_json())


def build_live(config: str, device: torch.device) -> GenDD:
    """The model of a config with its teacher, whose weights are random."""
    return random_model(read_complete(config)).to(device).train()


def build_stored(config: str, folder: str, device: torch.device) -> GenDD:
    """The model of a config, its teacher a store."""
    cfg = read_complete(config)
    cfg.model.teacher = dict(type='gendd_mm.StoredTeacher', store=folder)
    cfg.model.pop('teacher_ckpt', None)
    return build_model(cfg).to(device).train()


class Steps:
    """Training steps on one batch; rows of a store are read in each, if there is one."""

    def __init__(self, model: GenDD, config: str, shape: tuple[int, ...]) -> None:
        MMLogger.get_current_instance().setLevel('WARNING')  # a line for each parameter
        self.model = model
        optim_wrapper = read_complete(config).optim_wrapper
        group_parameters(optim_wrapper)
        self.optimizer = build_optim_wrapper(model, optim_wrapper)
        batch_size, channels, side = shape
        self.images = torch.randint(0, 256, (batch_size, channels, side, side)).byte()
        self.labels = torch.randint(model.teacher.classifier.out_features, (batch_size,))
        stored: Any = getattr(model.teacher.model, 'store', None)
        self.store = stored

    def __call__(self) -> None:
        samples = [DataSample().set_gt_label(label) for label in self.labels]
        if self.store is not None:
            views = [(index * 701 % ROWS, 0) for index in range(len(samples))]
            rows = self.store.rows('train', views)
            for index, sample in enumerate(samples):
                arrays = {name: values[index].numpy() for name, values in rows.items()}
                sample.set_field(arrays, FIELD)
        self.model.train_step(
            dict(inputs=self.images.clone(), data_samples=samples), self.optimizer
        )


def step_of(
    config: str, folder: str, shape: tuple[int, ...], name: str, device: torch.device
) -> Steps:
    """A step whose model is built, for a process of its own."""
    stored = name == 'stored'
    model = build_stored(config, folder, device) if stored else build_live(config, device)
    return Steps(model, config, shape)


def weight_bytes(model: GenDD) -> int:
    """Memory of all weights, the teacher's included."""
    modules = (model, model.teacher.model)
    return sum(
        value.nbytes for module in modules for value in (*module.parameters(), *module.buffers())
    )


def multiply_adds(run: Any) -> float:
    """Those of matrix products and convolutions in a step."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


def read_rate(folder: str, rows: int = 20_000) -> str:
    """Rows and bytes a second, in batches of 64 in random order, from the page cache."""
    store = TeacherStore(folder)
    for first in range(0, ROWS, store.description.rows_per_shard):
        store.features('train', first, 0)  # each shard is checked once
    order = [(image, 0) for image in torch.randint(ROWS, (rows,)).tolist()]
    started = time.perf_counter()
    for first in range(0, rows, 64):
        store.rows('train', order[first : first + 64])
    rate = rows / (time.perf_counter() - started)
    size = store.description.features['target'] * 2
    return f'{rate / 1e3:.0f} k rows/s, {rate * size / 1e6:.0f} MB/s'


if __name__ == '__main__':
    main()
