"""A few steps of one rank: ``torchrun train_on_ranks.py DEVICE STEPS OUTPUT``."""

import os
import sys
from pathlib import Path

sys.path[:0] = map(str, (Path(__file__).resolve().parents[1], Path(__file__).resolve().parents[2]))

import torch  # noqa: E402
from plain_head import Trained, batch, draw_on_cpu  # noqa: E402
from torch import distributed, nn  # noqa: E402

# Divisible by 1 to 6, 8, 10 and 12 processes.
BATCH = 120


def trained(device: torch.device, steps: int, rank: int = 0, world_size: int = 1) -> dict:
    """State after some steps, of which every rank sees its part of the batch."""
    torch.manual_seed(0)
    # One partner and weight of feature mixup would differ by rank.
    model = Trained(feature_mixup=False, row_chunk=24).to(device)
    part = slice(rank, None, world_size)
    draw_on_cpu(model.gendd.head, part, BATCH)
    wrapped: nn.Module = model
    if distributed.is_initialized():
        wrapped = nn.parallel.DistributedDataParallel(
            model, device_ids=[device] if device.type == 'cuda' else None
        )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(steps):
        *inputs, centers = batch(device, BATCH, seed=step)
        optimizer.zero_grad()
        wrapped(*(tensor[part] for tensor in inputs), centers).backward()
        optimizer.step()
    return {name: value.cpu() for name, value in model.state_dict().items()}


def main() -> None:
    kind, steps, output = sys.argv[1:]
    rank, world_size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
    device = torch.device(kind)
    if kind == 'cuda':
        device = torch.device(kind, int(os.environ['LOCAL_RANK']))
        torch.cuda.set_device(device)
    torch.backends.cudnn.allow_tf32 = False
    distributed.init_process_group('nccl' if kind == 'cuda' else 'gloo')
    state = trained(device, int(steps), rank, world_size)
    torch.save(state, f'{output}.{rank}')
    distributed.destroy_process_group()


if __name__ == '__main__':
    main()
