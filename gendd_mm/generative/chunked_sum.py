"""Sums over many rows, forward and backward a chunk at a time.

Autograd would keep the activations of all rows until the backward pass. Here the
backward pass of a chunk follows its forward pass, so memory holds the activations of
one chunk, which also stay in the cache. Only the gradients accumulate.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from .precision import without_autocast

# Factor on the loss inside a float16 autocast, whose gradients would
# underflow: the scale of a GradScaler comes too late for them. Losses and
# their sum are float32; what enters float16 is the gradient of a row.
FLOAT16_LOSS_SCALE = 64.0

# (rows, inputs) -> loss of each row
RowLosses = Callable[[slice, Tensor], Tensor]


def chunked_sum(
    losses: RowLosses, num_rows: int, chunk: int, inputs: Tensor, module: nn.Module
) -> Tensor:
    """Sum of the losses of all rows.

    Differentiable once with respect to ``inputs`` and the parameters of ``module``;
    works under autocast, gradient scaling and DistributedDataParallel.

    Args:
        losses: Gives the losses of a slice of rows. Gradient flows through its second
            argument and the parameters of ``module``, nothing else.
        num_rows: Number of rows N.
        chunk: Rows at a time, at least 1.
        inputs: A tensor that all rows share, passed on to ``losses``.
        module: The network that ``losses`` calls.

    Returns:
        Scalar sum.
    """
    rows = [slice(i, i + chunk) for i in range(0, num_rows, chunk)]
    if len(rows) == 1 or not torch.is_grad_enabled():
        return torch.stack([losses(part, inputs).sum() for part in rows]).sum()
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    call = _Call(module, losses)
    return _ChunkedSum.apply(call, list(trained), rows, inputs, *trained.values())


class _Call(nn.Module):
    """A function and the module it calls, so that functional_call can swap parameters."""

    def __init__(self, module: nn.Module, function: RowLosses) -> None:
        super().__init__()
        self.module = module
        self.function = function

    def forward(self, rows: slice, inputs: Tensor) -> Tensor:
        return self.function(rows, inputs)


class _ChunkedSum(torch.autograd.Function):
    """Forward computes the gradients; backward scales them."""

    @staticmethod
    def forward(ctx, call: _Call, names: list, rows: list, inputs: Tensor, *parameters: Tensor):
        # New leaves: backward() adds to their .grad in place, and touches neither
        # .grad nor the hooks of the parameters.
        inputs = inputs.detach().requires_grad_()
        leaves = [parameter.detach().requires_grad_() for parameter in parameters]
        replaced = {f'module.{name}': leaf for name, leaf in zip(names, leaves, strict=True)}
        scale = FLOAT16_LOSS_SCALE if _is_float16_autocast(inputs.device.type) else 1.0
        total = _backward_by_chunks(call, replaced, rows, inputs, scale)
        ctx.gradients = [leaf.grad for leaf in (inputs, *leaves)]
        ctx.scale = scale
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor) -> tuple:
        if ctx.gradients is None:
            raise RuntimeError(
                'backward() was called twice on one generative loss; compute the loss again.'
            )
        gradients, ctx.gradients = ctx.gradients, None
        factor = grad_output / ctx.scale
        # In place, as they are as large as the model. A parameter that was not
        # used has none.
        scaled = (None if gradient is None else gradient.mul_(factor) for gradient in gradients)
        return None, None, None, *scaled


# Dynamo cannot trace a backward pass inside a forward one.
@torch.compiler.disable(recursive=False)
def _backward_by_chunks(
    call: _Call, parameters: dict[str, Tensor], rows: list[slice], inputs: Tensor, scale: float
) -> Tensor:
    """Return the sum; leave its gradients, times ``scale``, in ``.grad`` of the leaves."""
    total = inputs.new_zeros((), dtype=torch.float32)
    for part in rows:
        with torch.enable_grad():
            subtotal = functional_call(call, parameters, (part, inputs)).sum()
            # As in every training loop, the backward pass is outside of autocast: its
            # products have the precision that they had forward.
            with without_autocast(inputs.device):
                (subtotal * scale).backward()
        total = total + subtotal.detach()
    return total


def _is_float16_autocast(device_type: str) -> bool:
    return (
        torch.amp.is_autocast_available(device_type)
        and torch.is_autocast_enabled(device_type)
        and torch.get_autocast_dtype(device_type) == torch.float16
    )
