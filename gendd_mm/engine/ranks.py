"""What rank 0 does for all ranks, without leaving one behind that waits."""

import socket
from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process

__all__ = ['on_rank_0', 'refuse_together']

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
