"""Where the time of a training step goes: teacher, student, head, backward.

    python tools/benchmarks/step.py \
        configs/imagenet/gendd_resnet34_resnet18_8xb64_in1k.py --image-size 64

The networks are those of the config, with random weights, and so are images and
labels: no data is read. The median of three steps; on CUDA it waits between the
parts, and states the peak memory.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from measure import add_device, synchronize
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.table import Table

import gendd_mm  # noqa: F401  the shims come first
from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors
from gendd_mm.engine.grouped_parameters import group_parameters
from gendd_mm.engine.options import read_run
from gendd_mm.models import GenDD
from gendd_mm.registry import MODELS


class Stopwatch:
    """Seconds of each part of the present step."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        synchronize(self.device)
        start = time.perf_counter()
        yield
        synchronize(self.device)
        self.seconds[name] += time.perf_counter() - start

    def watch(self, name: str, owner: object, method: str) -> None:
        """Time a method of an object under a name."""
        original: Callable = getattr(owner, method)

        def timed(*args, **kwargs):
            with self.part(name):
                return original(*args, **kwargs)

        setattr(owner, method, timed)


def build(cfg: Config, device: torch.device) -> GenDD:
    """The model of a config, its teacher with random weights."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    model_cfg = cfg.model
    if cfg.get('data_preprocessor') is not None:
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    teacher = MODELS.build(dict(model_cfg.teacher, _scope_='mmpretrain'))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'teacher.pth'
        torch.save(teacher.state_dict(), path)
        model_cfg.teacher_ckpt = str(path)
        return MODELS.build(model_cfg).to(device).train()


def measure(
    model: GenDD, cfg: Config, batch_size: int, image_size: int, rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of each part of the median step, and of the whole."""
    num_classes = model.teacher.classifier.out_features
    images = torch.randint(0, 256, (batch_size, 3, image_size, image_size))
    samples = [
        DataSample().set_gt_label(label) for label in torch.randint(num_classes, (batch_size,))
    ]
    batch = dict(inputs=list(images.byte()), data_samples=samples)
    group_parameters(cfg.optim_wrapper)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    watch = Stopwatch(device)
    watch.watch('data preprocessor', model.data_preprocessor, 'forward')
    watch.watch('teacher', model.teacher, 'extract_feat')
    watch.watch('student', model.student, 'forward')
    # Includes the backward passes of its chunks where there are several.
    watch.watch('generative head', model.distiller.gendd_loss.head, 'loss')
    watch.watch('backward pass', optimizer, 'backward')
    watch.watch('optimizer', optimizer, 'step')
    steps: list[dict[str, float]] = []
    for round_number in range(rounds + 1):
        watch.seconds.clear()
        with watch.part('whole step'):
            model.train_step(batch, optimizer)
        if round_number > 0:  # the first warms up
            steps.append(dict(watch.seconds))
    steps.sort(key=lambda step: step['whole step'])
    return steps[len(steps) // 2]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--image-size', type=int, default=224)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    add_device(parser)
    add_cfg_options(parser)
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    MMLogger.get_instance('step', log_level='WARNING')
    cfg = read_run(args.config, args.cfg_options)
    model = build(cfg, args.device)
    on_cuda = args.device.type == 'cuda'
    if on_cuda:
        torch.cuda.reset_peak_memory_stats(args.device)
    times = measure(model, cfg, args.batch_size, args.image_size, args.rounds, args.device)
    peak = torch.cuda.max_memory_allocated(args.device) if on_cuda else None
    whole = times['whole step']
    times['the rest'] = 2 * whole - sum(times.values())
    if args.json:
        print(json.dumps(dict(times, peak_bytes=peak)))
        return
    table = Table('part', 'seconds', 'share', title=args.config)
    for name, value in times.items():
        table.add_row(name, f'{value:.3f}', f'{100 * value / whole:.1f} %')
    Console().print(table)
    if peak is not None:
        print(f'{peak / 1e9:.2f} GB of memory at the peak')


if __name__ == '__main__':
    with user_errors():
        main()
