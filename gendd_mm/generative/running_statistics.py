"""Statistics of the training data that every rank keeps alike."""

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from .precision import at_least_float32


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum a tensor over all ranks, in place; one process leaves it alone."""
    if _is_distributed():
        distributed.all_reduce(tensor)
    return tensor


@torch.no_grad()
def update_moments(
    moments: Iterable[Tensor],
    num_batches: Tensor,
    values: Tensor,
    dim: int | None,
    min_share: float,
) -> None:
    """Let a batch take its share of a running mean and mean square.

    The share is ``1 / num_batches``, so that early batches weigh alike, but never below
    ``min_share``. One call on every rank; all ranks weigh alike.

    Args:
        moments: Running mean and running mean square, changed in place.
        num_batches: Batches so far, shape (), changed in place.
        values: What this rank has seen.
        dim: Dimension of ``values`` to average over. None means all.
        min_share: Least share of a batch, in (0, 1].
    """
    values = at_least_float32(values)
    batch = torch.stack([values.mean(dim), values.square().mean(dim)]).to(num_batches)
    batch = sum_over_ranks(batch) / (distributed.get_world_size() if _is_distributed() else 1)
    num_batches += 1
    share = (1 / num_batches).clamp(min=min_share)
    for moment, value in zip(moments, batch, strict=True):
        moment.lerp_(value, share)


def _is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class RunningMeans(nn.Module):
    """Exponentially weighted mean of each class's vectors.

    It forgets by images of the class, not by steps: the latest one of a class weighs 1,
    the one before ``momentum``, and so on, while all of one step weigh the same. So the
    memory, about ``1 / (1 - momentum)`` images, is that of rare and of frequent
    classes, whatever the batch size. An image may belong to a class in part.

    Args:
        num_classes: Number of classes C.
        dim: Size D of the vectors.
        momentum: In [0, 1]; 0 keeps the latest step, 1 is the mean of all.

    Attributes:
        mean: The means, shape (C, D), float32; zero where nothing was seen.
        weight: Weight of what each remembers, shape (C,), float32.

    Raises:
        ValueError: If ``momentum`` is outside [0, 1], or a size is below 1.
    """

    mean: Tensor
    weight: Tensor

    def __init__(self, num_classes: int, dim: int, momentum: float) -> None:
        super().__init__()
        for name, value in (('num_classes', num_classes), ('dim', dim)):
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1.')
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum={momentum} is outside [0, 1].')
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(num_classes, dim))
        self.register_buffer('weight', torch.zeros(num_classes))

    @property
    def seen(self) -> Tensor:
        """Which classes have been seen, shape (C,), bool."""
        return self.weight > 0

    @torch.no_grad()
    def update(self, vectors: Tensor, shares: Tensor) -> None:
        """Take in a batch; one call on every rank.

        Args:
            vectors: Shape (B, D).
            shares: What each weighs in each class, shape (B, C), at least 0.
        """
        # Autocast would sum in half precision.
        with torch.autocast(vectors.device.type, enabled=False):
            shares = shares.to(self.mean)
            sums = shares.T @ vectors.to(self.mean)
        totals = sum_over_ranks(torch.cat([sums, shares.sum(0)[:, None]], dim=1))
        sums, count = totals[:, :-1], totals[:, -1]
        self.weight.mul_(self.momentum**count).add_(count)
        # Where nothing came, 0 / weight; the bound keeps it from 0 / 0.
        tiny = torch.finfo(self.weight.dtype).tiny
        self.mean += (sums - count[:, None] * self.mean) / self.weight.clamp(min=tiny)[:, None]
