"""A function on two ranks, in processes forked from the one of the tests."""

import os
import tempfile
from collections.abc import Callable, Sequence

import torch


def on_two_ranks(function: Callable, *arguments, folders: Sequence = ('.', '.')) -> list:
    """What a function returns on each rank of a gloo group, or the text of its error.

    Args:
        function: Called with the arguments.
        folders: The working directories of the ranks.
    """
    with tempfile.TemporaryDirectory() as meeting:
        torch.multiprocessing.start_processes(
            _be_a_rank, (meeting, function, arguments, folders), nprocs=2, start_method='fork'
        )
        return [torch.load(f'{meeting}/{rank}.pt') for rank in range(2)]


def _be_a_rank(
    rank: int, meeting: str, function: Callable, arguments: tuple, folders: Sequence
) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{meeting}/store', rank=rank, world_size=2
    )
    os.chdir(folders[rank])
    try:
        found = function(*arguments)
    except (OSError, ValueError, RuntimeError) as error:
        found = f'{type(error).__name__}: {error}'
    torch.save(found, f'{meeting}/{rank}.pt')
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
