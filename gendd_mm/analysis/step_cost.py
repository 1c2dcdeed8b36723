"""What a training step costs, part by part, without data and without weights."""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.engine.grouped_parameters import group_parameters
from gendd_mm.engine.model import build_model
from gendd_mm.models import GenDD
from gendd_mm.registry import MODELS

__all__ = ['StepCost', 'random_model', 'step_cost']


class Part(NamedTuple):
    """A part of the step: its parameters, multiply-adds of an image, and seconds."""

    name: str
    parameters: int | None
    multiply_adds: float
    seconds: float


class StepCost(NamedTuple):
    """What one step and one prediction of a batch cost."""

    # Of the median step, in its order.
    parts: list[Part]
    whole: Part
    # By the student alone, which ships, and by both paths with one draw.
    predictions: list[Part]
    # Memory of the device at the peak; None on a CPU.
    peak_bytes: int | None


def step_cost(
    cfg: Config,
    batch_size: int = 64,
    image_size: int = 224,
    rounds: int = 3,
    device: str | torch.device = 'cpu',
) -> StepCost:
    """Measure a step of a config on random images, the teacher's weights random.

    Args:
        cfg: Config of a GenDD run, with its sizes filled in.
        batch_size: Images of a step, at least 1.
        image_size: Their side, in pixels.
        rounds: Steps that are timed, behind one that warms up; the median counts.
        device: Where to measure. On CUDA it waits between the parts.

    Returns:
        Multiply-adds are those of matrix products and convolutions, forward and backward.

    Raises:
        ValueError: If the config is of no GenDD, or its networks do not fit the images.
    """
    device = torch.device(device)
    model = random_model(cfg).to(device).train()
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    batch = _batch(model, batch_size, image_size)
    settings = copy.deepcopy(cfg.optim_wrapper)
    group_parameters(settings)
    optimizer = build_optim_wrapper(model, settings)
    watch = _Watch(device)
    head = model.distiller.gendd_loss.head
    watched: list[tuple[str, Any, str, nn.Module | None]] = [
        ('data preprocessor', model.data_preprocessor, 'forward', None),
        ('teacher', model.teacher, 'extract_feat', model.teacher.model),
        ('student', model.student, 'forward', model.student),
        # Includes the backward passes of its chunks where there are several.
        ('generative head', head, 'loss', head),
        ('backward pass', optimizer, 'backward', None),
        ('optimizer', optimizer, 'step', None),
    ]
    for name, owner, method, _ in watched:
        watch.watch(name, owner, method)

    def step() -> None:
        model.train_step(batch, optimizer)

    seconds, operations = watch.measured(step, rounds)
    parts = [
        Part(
            name,
            _count(module) if module is not None else None,
            operations[name] / batch_size,
            seconds[name],
        )
        for name, _, _, module in watched
    ]
    whole = Part(_WHOLE, None, operations[_WHOLE] / batch_size, seconds[_WHOLE])
    rest = whole.multiply_adds - sum(part.multiply_adds for part in parts)
    parts.append(Part('the rest', None, rest, whole.seconds - sum(part.seconds for part in parts)))
    peak = torch.cuda.max_memory_allocated(device) if device.type == 'cuda' else None
    model.eval()
    return StepCost(parts, whole, _predictions(model, batch, rounds, device), peak)


_WHOLE = 'whole step'


def _predictions(model: GenDD, batch: dict, rounds: int, device: torch.device) -> list[Part]:
    inputs = model.data_preprocessor(batch, False)['inputs']
    runs: dict[str, tuple[Callable[[], Any], nn.Module]] = {
        'prediction, student': (lambda: model.student(inputs, mode='tensor'), model.student),
        'prediction, both paths': (lambda: model.predict(inputs, None, 1), model),
    }
    found = []
    with torch.no_grad():
        for name, (run, module) in runs.items():
            watch = _Watch(device)
            seconds, operations = watch.measured(run, rounds)
            found.append(
                Part(
                    name,
                    _count(module),
                    operations[_WHOLE] / len(inputs),
                    seconds[_WHOLE],
                )
            )
    return found


def random_model(cfg: Config) -> GenDD:
    """The model of a config, its teacher with random weights.

    Raises:
        ValueError: If the config is of no GenDD.
    """
    cfg = copy.deepcopy(cfg)
    if not cfg.model.get('type', '').endswith('GenDD'):
        raise ValueError(
            f'model.type={cfg.model.get("type")!r} is no GenDD; give the config of a GenDD run.'
        )
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        teacher = MODELS.build(cfg.model.teacher.to_dict())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'teacher.pth'
        torch.save(dict(state_dict=teacher.state_dict()), path)
        cfg.model.teacher_ckpt = str(path)
        model: Any = build_model(cfg)
    return model


def _batch(model: GenDD, batch_size: int, image_size: int) -> dict:
    mean = getattr(model.data_preprocessor, 'mean', None)
    channels = 3 if mean is None else len(mean)
    classifier = model.teacher.classifier
    num_classes = 2 if classifier is None else classifier.out_features
    images = torch.randint(0, 256, (batch_size, channels, image_size, image_size))
    samples = [
        DataSample().set_gt_label(label) for label in torch.randint(num_classes, (batch_size,))
    ]
    return dict(inputs=list(images.byte()), data_samples=samples)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class _Watch:
    """Seconds and multiply-adds of the methods of objects during a run."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self.operations: dict[str, float] = {}
        self.counter: FlopCounterMode | None = None

    def watch(self, name: str, owner: object, method: str) -> None:
        """Measure a method of an object under a name."""
        original: Callable = getattr(owner, method)

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self._part(name):
                return original(*args, **kwargs)

        setattr(owner, method, measured)

    def measured(
        self, run: Callable[[], Any], rounds: int
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Of the median run, and of one that is counted first."""
        with FlopCounterMode(display=False) as self.counter, self._part(_WHOLE):
            run()
        self.counter = None
        runs = []
        for _ in range(rounds):
            self.seconds = dict.fromkeys(self.operations, 0.0)
            with self._part(_WHOLE):
                run()
            runs.append(self.seconds)
        middle = statistics.median_low(each[_WHOLE] for each in runs)
        return next(each for each in runs if each[_WHOLE] == middle), self.operations

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        before = self.counter.get_total_flops() if self.counter else 0
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        if self.counter:
            count = (self.counter.get_total_flops() - before) / 2
            self.operations[name] = self.operations.get(name, 0.0) + count

    def _wait(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
