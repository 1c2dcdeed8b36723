"""Precision of computations for which half is too coarse."""

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Convert half precision to float32; leave wider tensors alone."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
