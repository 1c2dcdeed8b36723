"""Running means of vectors by class, the same on all ranks."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class RunningMeans(nn.Module):
    """Exponentially weighted mean of each class's vectors.

    It forgets by images of the class, not by steps: the latest one of a class
    weighs 1, the one before ``momentum``, and so on, while all of one step
    weigh the same. So the memory, about ``1 / (1 - momentum)`` images, is that
    of rare and of frequent classes, whatever the batch size. What an image
    weighs in a class may be a fraction.

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
        """Heed a batch; one call on every rank.

        Args:
            vectors: Shape (B, D).
            shares: What each weighs in each class, shape (B, C), at least 0.
        """
        # Autocast would sum in half precision.
        with torch.autocast(vectors.device.type, enabled=False):
            shares = shares.to(self.mean)
            sums = shares.T @ vectors.to(self.mean)
        totals = torch.cat([sums, shares.sum(0)[:, None]], dim=1)
        all_reduce(totals)
        sums, count = totals[:, :-1], totals[:, -1]
        self.weight.mul_(self.momentum**count).add_(count)
        # Where nothing came, 0 / weight; the bound keeps it from 0 / 0.
        step = (sums - count[:, None] * self.mean) / self.weight.clamp(
            min=torch.finfo(self.weight.dtype).tiny
        )[:, None]
        self.mean += step
