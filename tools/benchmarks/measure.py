"""Measurements: interleaved times, peak memory, gradient variance; and where to measure."""

import argparse
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gendd_commands.command_line import usable_device


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device',
        type=usable_device,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='where to measure, cpu or cuda (default: cuda if there is one)',
    )


def synchronize(device: torch.device) -> None:
    """Wait for the device, where it runs on its own."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def seconds(
    runs: dict[str, Callable[[], None]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median time of each run; they take turns, so that noise hits all."""
    times = {name: [] for name in runs}
    for round_number in range(rounds + 1):
        for name, run in runs.items():
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            if round_number > 0:  # the first warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


class MatrixProduct:
    """Products of the size that a denoiser of width 1024 has, as a run.

    Args:
        product: Multiplies (N, K) by the transpose of (M, K): one of the
            libraries that torch has for it. Defaults to torch's own choice.
        rows: N. Defaults to 1280.
    """

    repeats, width = 10, 1024

    def __init__(
        self, product: Callable[[Tensor, Tensor], Tensor] = F.linear, rows: int = 1280
    ) -> None:
        self.rows = rows
        self.multiply_adds = self.repeats * rows * self.width**2
        self.left = torch.randn(self.rows, self.width)
        self.right = torch.randn(self.width, self.width)
        self.product = product

    def __call__(self) -> None:
        for _ in range(self.repeats):
            self.product(self.left, self.right)


def peak_bytes(make: Callable[[], Callable[[], None]], device: torch.device) -> float:
    """Memory of a run at its peak, beyond what was allocated before.

    Args:
        make: Builds the model and its inputs and gives the run. It must be
            picklable, as on the CPU a process of its own is measured.
        device: Where it runs.
    """
    if device.type == 'cuda':
        run = make()
        run()  # what libraries allocate once is not the run's
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_peak_bytes_of_process, make).result()


def _peak_bytes_of_process(make: Callable[[], Callable[[], None]]) -> float:
    run = make()
    before = _high_water_mark()
    run()
    return _high_water_mark() - before


def _high_water_mark() -> float:
    """Largest resident memory of this process so far, in bytes.

    Not ``getrusage``, whose mark a child inherits from its parent.
    """
    status = Path('/proc/self/status').read_text()
    return 1024.0 * int(re.search(r'VmHWM:\s*(\d+) kB', status).group(1))


def gradient_variances(
    loss: Callable[[], Tensor], condition: Tensor, model: nn.Module, draws: int
) -> Tensor:
    """Variance of the gradient, summed over its entries.

    Args:
        loss: Draws the noise and gives a loss.
        condition: The leaf through which the student is taught.
        model: The generative head.
        draws: Number of gradients.

    Returns:
        Variances with respect to the condition and to the parameters, (2, ).
    """
    leaves = [condition, *model.parameters()]
    sums = [torch.zeros_like(leaf) for leaf in leaves]
    squares = torch.zeros(len(leaves), dtype=torch.float64, device='cpu')
    for _ in range(draws):
        gradients = torch.autograd.grad(loss(), leaves)
        for i, gradient in enumerate(gradients):
            sums[i] += gradient
            squares[i] += gradient.double().square().sum().cpu()
    means = torch.stack([s.double().square().sum().cpu() for s in sums])
    variances = (squares - means / draws) / (draws - 1)
    return torch.stack([variances[0], variances[1:].sum()])
