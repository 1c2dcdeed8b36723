"""The precision of what must not be computed in half."""

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half precision as float32; wider tensors as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
