"""What rank 0 does for all ranks, without leaving one behind that waits."""

import datetime
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch.distributed as torch_dist
from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_backend,
    is_distributed,
    is_main_process,
)

__all__ = ['gloo_group', 'on_rank_0', 'refuse_together', 'stated_timeout', 'wait_for_all']

T = TypeVar('T')


def on_rank_0(action: Callable[[], T]) -> T:
    """What an action returns on rank 0; the other ranks do not call it.

    All ranks call this together, and all fail if the action does.

    Args:
        action: Returns something that can be pickled.

    Raises:
        ValueError: On the other ranks, if the action raises anything on rank 0.
    """
    outcome: list = [None, '']
    failed: Exception | None = None
    if is_main_process():
        try:
            outcome[0] = action()
        except Exception as error:
            failed = error
            outcome[1] = f'rank 0: {error or type(error).__name__}'
    broadcast_object_list(outcome)
    if failed is not None:
        raise failed
    if outcome[1]:
        raise ValueError(outcome[1])
    return outcome[0]


def refuse_together(fault: str, rule: str) -> None:
    """Raise an error on every rank if one of them has found a fault.

    All ranks call this together.

    Args:
        fault: What this rank has found; empty if all is well.
        rule: What must be the case, and how to get there.

    Raises:
        ValueError: It names the fault, and of several ranks those with one and their
            machines.
    """
    faults = all_gather_object((socket.gethostname(), fault))
    found = [f'rank {rank} on {host}: {text}' for rank, (host, text) in enumerate(faults) if text]
    if len(faults) == 1 and fault:
        found = [fault]
    if found:
        more = f' (and {len(found) - 3} more ranks)' if len(found) > 3 else ''
        raise ValueError(f'{"; ".join(found[:3])}{more}. {rule}')


def stated_timeout(cfg: Mapping) -> datetime.timedelta | None:
    """How long a rank waits for another, by a config; None is torch's default."""
    seconds = ((cfg.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout')
    return None if seconds is None else datetime.timedelta(seconds=seconds)


def gloo_group() -> Any:
    """A group of all ranks over gloo, for :func:`wait_for_all`; None for a single process.

    All ranks call this together, early: a rank that is missing here is not named.
    """
    if not is_distributed():
        return None
    return (
        torch_dist.group.WORLD
        if get_backend() == 'gloo'
        else torch_dist.new_group(None, backend='gloo')
    )


def wait_for_all(group: Any, limit: datetime.timedelta | None, where: str) -> None:
    """Wait until all ranks are at a place of the program.

    Args:
        group: Of :func:`gloo_group`.
        limit: How long to wait; None is torch's 30 minutes.
        where: The place, for the error.

    Raises:
        RuntimeError: If a rank does not come. That of rank 0 names those that hang; of one
            that has ended, torch may only say that the connection is closed.
    """
    if group is None:
        return
    try:
        torch_dist.monitored_barrier(group, limit, wait_all_ranks=True)
    except RuntimeError as error:
        # Its first sentence, without the rank or the file of torch that says it.
        said = re.sub(r'^\[[^]]*\]:? *', '', str(error).strip()).splitlines()[0].partition('. ')[0]
        raise RuntimeError(
            f'not all ranks have come to {where}: {said}. The log or the error of a missing rank '
            'says why. If it is still at work there, give it more time: --cfg-options '
            'env_cfg.dist_cfg.timeout=SECONDS.'
        ) from None
