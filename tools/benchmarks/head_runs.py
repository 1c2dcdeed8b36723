"""What tools/benchmarks/head.py times: a step or samples, ours and the plain head's."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests'))

from reference_head import ReferenceHead, randomize

from gendd_mm.generative import DDIMSampler, GenerativeHead, RectifiedFlow, use_onednn

PAPER_STEPS, PAPER_START, PAPER_GUIDANCE = 64, 999, 2.0
PAPER_DRAWS, DEFAULT_DRAWS = 5, 2
REPEATS = 10
# Whether so many antithetic rows have no more gradient variance than REPEATS
# independent ones depends on the head; the benchmark measures it.
ANTITHETIC_REPEATS = 8
ANTITHETIC = dict(repeats=ANTITHETIC_REPEATS, noise_sampling='antithetic')
# The generative part of configs/_base_/models/gendd_recommended.py, and the same flow with
# nothing saved: a modulation for each block, independent noise, the paper's repeats.
FLOW = dict(process=RectifiedFlow(), sampler=DDIMSampler(4, guidance_scale=1.0), condition_drop=0.0)
RECOMMENDED = dict(FLOW, repeats=4, noise_sampling='antithetic')

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


def cases(device: torch.device, images: int | None = None) -> tuple[Case, Case]:
    """ResNet-34 -> ResNet-18, and BEiTv2-L -> ResNet-50.

    Args:
        device: A GPU gets more images.
        images: Images of both. None chooses by the device.
    """
    sizes = (256, 256) if device.type == 'cuda' else (32, 64)
    small, large = sizes if images is None else (images, images)
    return Case(small, 512, 512), Case(large, 2048, 1024)


def train_step(
    case: Case, dtype: torch.dtype | None = None, compiled: bool = False, **changes
) -> Run:
    """Loss and gradients of our head.

    Args:
        case: Sizes.
        dtype: Precision of its network, by autocast. None means float32.
        compiled: Whether its layers are compiled, as by ``GenDD(compile=True)``.
        changes: Settings of the head.
    """
    head, (condition, target) = case.busy_head(**changes), case.features()
    if compiled:
        for module in (head.denoiser.modulation, *head.denoiser.blocks):
            module.compile()

    def run() -> None:
        with torch.autocast(condition.device.type, dtype, enabled=dtype is not None):
            loss = head.loss(condition, target)
        loss.backward()
        head.zero_grad()

    return run


def plain_train_step(case: Case, dtype: torch.dtype | None = None) -> Run:
    """The same for the plain head, which draws its randomness in the step."""
    head = ReferenceHead.like(case.busy_head()).float()
    condition, target = case.features()
    rows = case.batch_size * head.num_tokens * REPEATS

    def run() -> None:
        t, keep = torch.randint(1000, (rows,)), torch.rand(rows) >= 0.2
        noise = torch.randn(rows, head.token_dim)
        with torch.autocast(condition.device.type, dtype, enabled=dtype is not None):
            loss = head.loss(condition, target, t, noise, keep)
        loss.backward()
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
