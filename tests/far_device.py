"""A device that works on its own and cannot be waited for: a GPU without a GPU.

Its tensors have shapes, types and a device, but no values. What would make a training
step wait for a GPU, or fail on one, is an error: reading a value, an output whose shape
depends on values, a copy from the CPU, an operation on tensors of both.
It does not see a list that becomes a tensor.
"""

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._pytree import tree_iter

# Autograd refuses fake tensors of 'cuda' where there is no driver.
FAR = torch.device('meta')
WAITS = (DataDependentOutputException, DynamicOutputShapeException)


class FarDevice(FakeTensorMode):
    """Inside, tensors of ``FAR`` are without values, and those of the CPU are real."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get('device')
        is_near = device is None or torch.device(device) != FAR
        if is_near and not any(isinstance(part, FakeTensor) for part in tree_iter((args, kwargs))):
            return func(*args, **kwargs)
        return super().__torch_dispatch__(func, types, args, kwargs)


def sent_far(module: nn.Module) -> nn.Module:
    """Move parameters and buffers, inside a :class:`FarDevice`."""

    def far(tensor: Tensor) -> Tensor:
        return torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device=FAR, requires_grad=False
        )

    return module._apply(far)
