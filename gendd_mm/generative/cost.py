"""The multiply-adds of a computation."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(call: Callable[[], object]) -> int:
    """Multiply-adds of the convolutions and matrix products that torch counts."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2
