"""What tools/benchmarks/head.py times: a step or samples, ours and the plain head's."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests'))

from reference_head import ReferenceHead, randomize

from gendd_mm.generative import GenerativeHead, use_onednn

PAPER_STEPS, PAPER_START, PAPER_GUIDANCE = 64, 999, 2.0
PAPER_DRAWS, DEFAULT_DRAWS = 5, 2
REPEATS = 10
# Whether so many antithetic rows have no more gradient variance than REPEATS
# independent ones depends on the head; the benchmark measures it.
ANTITHETIC_REPEATS = 8
ANTITHETIC = dict(repeats=ANTITHETIC_REPEATS, noise_sampling='antithetic')

Run = Callable[[], Any]


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
        """A head with random weights in every layer: at first many are zero."""
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


def train_step(case: Case, **changes) -> Run:
    """Loss and gradients of our head."""
    head, (condition, target) = case.busy_head(**changes), case.features()

    def run() -> None:
        head.loss(condition, target).backward()
        head.zero_grad()

    return run


def plain_train_step(case: Case) -> Run:
    """The same for the plain head, which draws its randomness in the step."""
    head = ReferenceHead.like(case.busy_head()).float()
    condition, target = case.features()
    rows = case.batch_size * head.num_tokens * REPEATS

    def run() -> None:
        t, keep = torch.randint(1000, (rows,)), torch.rand(rows) >= 0.2
        noise = torch.randn(rows, head.token_dim)
        head.loss(condition, target, t, noise, keep).backward()
        head.zero_grad()

    return run


def sample(case: Case, num_draws: int, **changes) -> Run:
    """Sampling with our head."""
    head = case.busy_head(**changes)
    condition, _ = case.features()
    return lambda: head.sample(condition, num_draws)


def plain_sample(case: Case, num_draws: int, num_steps: int) -> Run:
    """Sampling with the plain head."""
    head = ReferenceHead.like(case.busy_head()).float()
    condition, _ = case.features()
    rows = num_draws * case.batch_size * head.num_tokens

    def run() -> None:
        noise = [torch.randn(rows, head.token_dim) for _ in range(num_steps)]
        head.sample(condition, noise, num_steps, PAPER_START, PAPER_GUIDANCE)

    return run


def by_onednn(run: Run) -> Run:
    """The same run with oneDNN's products."""

    def run_so() -> None:
        use_onednn()
        try:
            run()
        finally:
            use_onednn(False)

    return run_so
