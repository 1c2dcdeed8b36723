"""Cost of the generative head, against a plain implementation.

    python tools/benchmarks/head.py
    python tools/benchmarks/head.py --quick --json

Every ratio is plain / ours, from one run in which the two take turns. The plain
one is tests/reference_head.py in float32, which the tests hold the head
against; width 1024, depth 3, tokens of 64. docs/performance.md explains the
numbers. ``--quick`` takes fewer rounds and samples 8 of the paper's 64
steps: under 4 minutes on two CPU cores.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests'))

from measure import MatrixProduct, gradient_variances, multiply_adds, peak_bytes, seconds
from reference_head import ReferenceHead, randomize

import gendd_mm  # noqa: F401  the shims come first
from gendd_mm.generative.linear import linear
from gendd_mm.models import GenerativeHead

PAPER = dict(type='ancestral', num_steps=64, start_t=999, guidance_scale=2.0)
PAPER_DRAWS, DEFAULT_DRAWS = 5, 2
REPEATS = 10
# Whether so many antithetic rows have no more gradient variance than REPEATS
# independent ones depends on the head; the benchmark measures it.
ANTITHETIC_REPEATS = 8


class Case(NamedTuple):
    """Sizes of a pair: images, student feature, teacher feature."""

    batch_size: int
    condition_dim: int
    target_dim: int

    def head(self, **changes) -> GenerativeHead:
        """A head of these sizes, the same each time."""
        torch.manual_seed(0)
        settings = dict(dict(repeats=REPEATS), **changes)
        return GenerativeHead(self.condition_dim, self.target_dim, **settings)

    def busy_head(self, **changes) -> GenerativeHead:
        """One whose layers all take part: at its initialisation none does."""
        return randomize(self.head(**changes), std=0.03)

    def features(self, batch_size: int = 0):
        """Conditions that need a gradient, and targets that follow them."""
        torch.manual_seed(1)
        return next(self.batches(batch_size or self.batch_size))

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """New images of one distribution, without end.

        Sixteen factors decide both features: those of images have few, too.
        """
        to_condition = torch.randn(16, self.condition_dim) / 4
        to_target = torch.randn(16, self.target_dim) / 4
        while True:
            factors = torch.randn(batch_size, 16)
            target = 0.3 * factors @ to_target
            target += 0.05 * torch.randn(target.shape)
            yield (factors @ to_condition).requires_grad_(), target


SMALL = Case(32, 512, 512)  # ResNet-34 -> ResNet-18
LARGE = Case(64, 2048, 1024)  # BEiTv2-L -> ResNet-50


def train_step(case: Case, **changes) -> Callable[[], None]:
    """Loss and gradients of our head."""
    head, (condition, target) = case.busy_head(**changes), case.features()

    def run() -> None:
        head.loss(condition, target).backward()
        head.zero_grad()

    return run


def plain_train_step(case: Case) -> Callable[[], None]:
    """The same of the plain one, randomness drawn in the step."""
    head = ReferenceHead.like(case.busy_head()).float()
    condition, target = case.features()
    rows = case.batch_size * head.num_tokens * REPEATS

    def run() -> None:
        t, keep = torch.randint(1000, (rows,)), torch.rand(rows) >= 0.2
        noise = torch.randn(rows, head.token_dim)
        head.loss(condition, target, t, noise, keep).backward()
        head.zero_grad()

    return run


def sample(case: Case, num_draws: int, **changes) -> Callable[[], None]:
    """Samples of our head."""
    head = case.busy_head(**changes)
    condition, _ = case.features()
    return lambda: head.sample(condition, num_draws)


def plain_sample(case: Case, num_draws: int, num_steps: int) -> Callable[[], None]:
    """Samples of the plain one."""
    head = ReferenceHead.like(case.busy_head()).float()
    condition, _ = case.features()
    rows = num_draws * case.batch_size * head.num_tokens

    def run() -> None:
        noise = [torch.randn(rows, head.token_dim) for _ in range(num_steps)]
        head.sample(condition, noise, num_steps, PAPER['start_t'], PAPER['guidance_scale'])

    return run


def training(case: Case, rounds: int, device: torch.device) -> dict:
    """Speed of training, exact and antithetic, and share of the peak rate."""
    step = train_step(case)
    products = dict(torch=MatrixProduct(), head=MatrixProduct(linear))
    times = seconds(
        dict(
            plain=plain_train_step(case),
            exact=step,
            same_products=with_torch_products(train_step(case)),
            antithetic=train_step(case, repeats=ANTITHETIC_REPEATS, noise_sampling='antithetic'),
            **products,
        ),
        rounds,
        device,
    )
    rates = {name: product.multiply_adds / times[name] for name, product in products.items()}
    return dict(
        exact=times['plain'] / times['exact'],
        same_products=times['plain'] / times['same_products'],
        antithetic=times['plain'] / times['antithetic'],
        products=rates['head'] / rates['torch'],
        share=multiply_adds(step) / times['exact'] / max(rates.values()),
    )


def with_torch_products(run: Callable[[], None]) -> Callable[[], None]:
    """The run with the products of the plain head, not those of oneDNN."""

    def run_so() -> None:
        with mock.patch('gendd_mm.generative.linear.ONEDNN', False):
            run()

    return run_so


def variance(case: Case, steps: int = 100, draws: int = 20) -> float:
    """Gradient variance of antithetic rows over that of independent ones.

    The worse of the two of condition and parameters, on four images after
    some training on sixteen a step. Width 256, for time.
    """
    denoiser = dict(type='TokenDenoiser', width=256, depth=3)
    independent = case.head(denoiser=denoiser)
    antithetic = case.head(
        denoiser=denoiser, repeats=ANTITHETIC_REPEATS, noise_sampling='antithetic'
    )
    torch.manual_seed(1)
    batches = case.batches(16)
    optimizer = torch.optim.AdamW(antithetic.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        antithetic.loss(*next(batches)).backward()
        optimizer.step()
    independent.load_state_dict(antithetic.state_dict())
    condition, target = next(batches)
    condition = condition[:4].detach().requires_grad_()
    ours, plain = (
        gradient_variances(partial(head.loss, condition, target[:4]), condition, head, draws)
        for head in (antithetic, independent)
    )
    return float((ours / plain).max())


def sampling(rounds: int, device: torch.device, num_steps: int) -> dict:
    """Speed of sampling the small case.

    Args:
        rounds, device: As for :func:`measure.seconds`.
        num_steps: Steps to take of the paper's, for time; their cost is
            linear in the steps, as ``growth_time_steps`` shows.
    """
    paper = dict(PAPER, num_steps=num_steps)
    times = seconds(
        dict(
            plain_5=plain_sample(SMALL, PAPER_DRAWS, num_steps),
            plain_1=plain_sample(SMALL, 1, num_steps),
            exact_5=sample(SMALL, PAPER_DRAWS, sampling=paper),
            exact_1=sample(SMALL, 1, sampling=paper),
            default=sample(SMALL, DEFAULT_DRAWS),
        ),
        rounds,
        device,
    )
    in_full = PAPER['num_steps'] / num_steps
    return dict(
        sample_exact_5=times['plain_5'] / times['exact_5'],
        sample_exact_1=times['plain_1'] / times['exact_1'],
        sample_default=in_full * times['plain_5'] / times['default'],
    )


def headline(rounds: int, device: torch.device, num_steps: int) -> dict[str, float]:
    """The numbers that the head is judged by."""
    small, large = (training(case, rounds, device) for case in (SMALL, LARGE))
    memory = peak_bytes(partial(plain_train_step, LARGE), device) / peak_bytes(
        partial(train_step, LARGE), device
    )
    return dict(
        train_exact_small=small['exact'],
        train_exact_large=large['exact'],
        train_same_products_small=small['same_products'],
        train_same_products_large=large['same_products'],
        memory_large=memory,
        train_antithetic_small=small['antithetic'],
        train_antithetic_large=large['antithetic'],
        variance_antithetic_small=variance(SMALL),
        variance_antithetic_large=variance(LARGE),
        **sampling(rounds, device, num_steps),
        gmacs_default=multiply_adds(sample(SMALL, DEFAULT_DRAWS)) / SMALL.batch_size / 1e9,
        gemm_rate=small['products'],
        gemm_share=small['share'],
    )


def growth(rounds: int, device: torch.device) -> dict[str, float]:
    """Cost of four times as much, over the cost of once: a narrow head."""
    base = Case(16, 128, 512)
    denoiser = dict(type='TokenDenoiser', width=256, depth=3)
    step = partial(train_step, denoiser=denoiser, row_chunk=1280)
    draw = partial(sample, base, denoiser=denoiser)
    pairs = {
        'batch': (step(base), step(base._replace(batch_size=64))),
        'tokens': (step(base), step(base._replace(target_dim=2048))),
        'repeats': (step(base), step(base, repeats=4 * REPEATS)),
        'draws': (draw(2), draw(8)),
        'steps': (
            draw(2, sampling=dict(type='ddim', num_steps=4)),
            draw(2, sampling=dict(type='ddim', num_steps=16)),
        ),
    }
    times = seconds(
        {(name, size): runs[size] for name, runs in pairs.items() for size in (0, 1)},
        rounds,
        device,
    )
    ratios = {f'growth_time_{name}': times[name, 1] / times[name, 0] for name in pairs}
    many = dict(denoiser=denoiser, row_chunk=1280, repeats=4 * REPEATS)
    ratios['growth_memory_repeats'] = peak_bytes(
        partial(train_step, LARGE, **many), device
    ) / peak_bytes(partial(train_step, LARGE, **dict(many, repeats=REPEATS)), device)
    return ratios


def report(numbers: dict[str, float], device: torch.device) -> None:
    """Print a table."""
    table = Table(
        title=f'Generative head on {device}, torch '
        f'{torch.__version__}, {torch.get_num_threads()} threads'
    )
    table.add_column('number')
    table.add_column('value', justify='right')
    for name, value in numbers.items():
        table.add_row(name, f'{value:.2f}')
    Console().print(table)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument(
        '--quick', action='store_true', help='fewer rounds and steps: under 4 minutes'
    )
    parser.add_argument(
        '--device',
        type=torch.device,
        default=torch.device('cuda' if torch.cuda.is_available() else 'cpu'),
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    rounds = 2 if args.quick else 7
    with args.device:
        numbers = headline(rounds, args.device, 8 if args.quick else 64)
        numbers.update(growth(rounds, args.device))
    if args.json:
        print(json.dumps(numbers))
    else:
        report(numbers, args.device)


if __name__ == '__main__':
    main()
