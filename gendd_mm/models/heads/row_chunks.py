"""Sums over many rows, forward and backward a chunk at a time.

Autograd would keep the activations of all rows until the backward pass. Here
a chunk's backward follows its forward, so that the memory is that of one
chunk, which also stays in the cache; only gradients are accumulated.
"""
from typing import Callable, List, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Factor on the loss inside a float16 autocast, whose gradients would
# underflow: the scale of a GradScaler comes too late for them. The loss of a
# row is a mean over channels, so a sum over 1,280 rows stays far below 65,504.
HALF_SCALE = 64.

# (rows, inputs) -> loss of each row
RowLosses = Callable[[slice, Tensor], Tensor]


def chunked_sum(losses: RowLosses, num_rows: int, chunk: int, inputs: Tensor,
                parameters: Sequence[Tensor]) -> Tensor:
    """Sum of the losses of all rows.

    Differentiable once with respect to ``inputs`` and ``parameters``; works
    under autocast, gradient scaling and DistributedDataParallel.

    Args:
        losses: Gives the losses of a slice of rows. Gradient flows through
            its second argument and through ``parameters``, nothing else.
        num_rows: Number of rows N.
        chunk: Rows at a time, at least 1.
        inputs: What the rows share, passed on to ``losses``.
        parameters: Parameters that ``losses`` may use.

    Returns:
        Scalar sum.
    """
    rows = [slice(i, i + chunk) for i in range(0, num_rows, chunk)]
    parameters = [p for p in parameters if p.requires_grad]
    if len(rows) == 1 or not torch.is_grad_enabled():
        return torch.stack([losses(part, inputs).sum() for part in rows]).sum()
    return _ChunkedSum.apply(losses, rows, inputs, *parameters)


class _ChunkedSum(torch.autograd.Function):
    """Forward computes the gradients; backward scales them."""

    @staticmethod
    def forward(ctx, losses: RowLosses, rows: List[slice], inputs: Tensor,
                *parameters: Tensor) -> Tensor:
        total, ctx.gradients = _sum_and_gradients(losses, rows, inputs,
                                                  parameters)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor) -> Tuple:
        if ctx.gradients is None:
            raise RuntimeError('the generative loss has no gradients to give '
                               'a second time; compute it again.')
        gradients, ctx.gradients = ctx.gradients, None
        # In place, as they are as large as the model.
        return (None, None, *(None if gradient is None else
                              gradient.mul_(grad_output)
                              for gradient in gradients))


# Dynamo cannot trace a backward pass inside a forward one.
@torch.compiler.disable(recursive=False)
def _sum_and_gradients(losses: RowLosses, rows: List[slice], inputs: Tensor,
                       parameters: Sequence[Tensor]) -> Tuple:
    """The sum, and its gradient by ``inputs`` and each of ``parameters``.

    The gradient by what is not used is None.
    """
    inputs = inputs.detach().requires_grad_()
    wanted = (inputs, *parameters)
    scale = HALF_SCALE if _is_half_autocast(inputs.device.type) else 1.
    total, gradients = 0., None
    for part in rows:
        with torch.enable_grad():
            subtotal = losses(part, inputs).sum()
            new = torch.autograd.grad(
                subtotal * scale, wanted, allow_unused=True)
        total = total + subtotal.detach()
        if gradients is None:
            gradients = new
            continue
        for gradient, addend in zip(gradients, new):
            if gradient is not None:
                gradient += addend
    if scale != 1:
        gradients = [g if g is None else g / scale for g in gradients]
    return total, gradients


def _is_half_autocast(device_type: str) -> bool:
    return (torch.is_autocast_enabled(device_type)
            and torch.get_autocast_dtype(device_type) == torch.float16)
