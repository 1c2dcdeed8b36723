"""Running statistics of the training data, equal on all ranks."""

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from .precision import at_least_float32, without_autocast


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum a tensor over all ranks, in place; a single process changes nothing."""
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
    """Update a running mean and mean square by a batch.

    The batch gets the share ``1 / num_batches``, so that early batches count equally,
    but at least ``min_share``. Every rank must call it; all ranks count equally.

    Args:
        moments: Running mean and running mean square, changed in place.
        num_batches: Batches so far, shape (), changed in place.
        values: The values of this rank.
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

    It forgets by images of the class, not by steps: the latest image of a class weighs
    1, the one before ``momentum``, and so on; images of one step weigh the same. So rare
    and frequent classes remember the same number of images, about
    ``1 / (1 - momentum)``, at any batch size. An image may belong to a class in part.

    Args:
        num_classes: Number of classes C.
        dim: Size D of the vectors.
        momentum: In [0, 1]; 0 keeps the latest step, 1 averages all images.

    Attributes:
        mean: The means, shape (C, D), float32; zero where nothing was seen.
        weight: Total weight of the images in each mean, shape (C,), float32.

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
        """Update the means by a batch; every rank must call it.

        Args:
            vectors: Shape (B, D).
            shares: Weight of each vector in each class, shape (B, C), at least 0.
        """
        # Autocast would sum in half precision.
        with without_autocast(vectors.device):
            shares = shares.to(self.mean)
            sums = shares.T @ vectors.to(self.mean)
        totals = sum_over_ranks(torch.cat([sums, shares.sum(0)[:, None]], dim=1))
        sums, count = totals[:, :-1], totals[:, -1]
        self.weight.mul_(self.momentum**count).add_(count)
        # A class without images adds 0 / weight; the bound prevents 0 / 0.
        tiny = torch.finfo(self.weight.dtype).tiny
        self.mean += (sums - count[:, None] * self.mean) / self.weight.clamp(min=tiny)[:, None]
