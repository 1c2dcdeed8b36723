"""What one of two processes does, for the tests of the head."""

import torch
import torch.distributed as dist
from small_head import small_head
from torch.nn.parallel import DistributedDataParallel

WORLD_SIZE = 2
BATCHES = 3


class Loss(torch.nn.Module):
    """A head whose forward pass is its loss, as DDP asks for."""

    def __init__(self, **settings) -> None:
        super().__init__()
        self.head = small_head(row_chunk=7, **settings)

    def forward(self, condition, target, seed: int) -> torch.Tensor:
        return self.head.loss(condition, target,
                              torch.Generator().manual_seed(seed))


def part_of(rank: int, batch: int) -> tuple:
    """Condition and target of one rank, of a scale of its own."""
    generator = torch.Generator().manual_seed(10 * batch + rank)
    condition = torch.randn(4, 6, generator=generator)
    return condition, (rank + 2) * torch.randn(4, 12, generator=generator)


def built() -> Loss:
    torch.manual_seed(0)
    return Loss(target_scale='auto')


def main(rank: int, folder: str) -> None:
    """Save the gradients and the scale that this rank ends with."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=WORLD_SIZE)
    model = DistributedDataParallel(built())
    for batch in range(BATCHES):  # gradients accumulate
        model(*part_of(rank, batch), seed=rank).backward()
    torch.save(
        dict(
            gradients=[p.grad for p in model.parameters()],
            moments=model.module.head.target_scale.moments), f'{folder}/{rank}')
    dist.destroy_process_group()
