"""Sums over many rows, forward and backward a chunk at a time.

Autograd would keep the activations of all rows until the backward pass. Here
a chunk's backward follows its forward, so that the memory is that of one
chunk, which also stays in the cache; only gradients are accumulated.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Factor on the loss inside a float16 autocast, whose gradients would
# underflow: the scale of a GradScaler comes too late for them. Losses and
# their sum are float32; what enters float16 is the gradient of a row.
HALF_SCALE = 64.0

# (rows, inputs) -> loss of each row
RowLosses = Callable[[slice, Tensor], Tensor]


def chunked_sum(
    losses: RowLosses, num_rows: int, chunk: int, inputs: Tensor, parameters: Sequence[Tensor]
) -> Tensor:
    """Sum of the losses of all rows.

    Differentiable once with respect to ``inputs`` and ``parameters``; works
    under autocast, gradient scaling and DistributedDataParallel. Hooks that a
    user has registered on a parameter (``Tensor.register_hook``) see the
    gradient of every chunk before that of the sum.

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
    def forward(
        ctx, losses: RowLosses, rows: list[slice], inputs: Tensor, *parameters: Tensor
    ) -> Tensor:
        total, ctx.gradients = _sum_and_gradients(losses, rows, inputs, parameters)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor) -> tuple:
        if ctx.gradients is None:
            raise RuntimeError(
                'the generative loss has no gradients to give a second time; compute it again.'
            )
        gradients, ctx.gradients = ctx.gradients, None
        # In place, as they are as large as the model.
        return (
            None,
            None,
            *(None if gradient is None else gradient.mul_(grad_output) for gradient in gradients),
        )


# Dynamo cannot trace a backward pass inside a forward one.
@torch.compiler.disable(recursive=False)
def _sum_and_gradients(
    losses: RowLosses, rows: list[slice], inputs: Tensor, parameters: Sequence[Tensor]
) -> tuple:
    """The sum, and its gradient by ``inputs`` and each of ``parameters``.

    The gradient by what is not used is None.
    """
    inputs = inputs.detach().requires_grad_()
    scale = HALF_SCALE if _is_half_autocast(inputs.device.type) else 1.0
    total = 0.0
    with _Totals((inputs, *parameters)) as totals:
        for part in rows:
            with torch.enable_grad():
                subtotal = losses(part, inputs).sum()
                totals.add(subtotal * scale)
            total = total + subtotal.detach()
    if scale != 1:
        for gradient in totals.gradients:
            if gradient is not None:
                gradient /= scale
    return total, totals.gradients


class _Totals:
    """Gradients summed as they arise, one tensor at a time.

    ``torch.autograd.grad`` alone would return a second set of them, as large
    as the model, to be added to the first. The hooks of the tensors add each
    gradient and let a zero of its shape, without memory, stand in for it.
    ``backward()`` would sum in place, too, but into ``.grad`` and past the
    hooks of DistributedDataParallel.

    Attributes:
        gradients: One for each tensor, None if it was never used.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.gradients: list[Tensor | None] = [None] * len(tensors)
        self._tensors = tensors
        self._handles = []
        # Two tensors may be handed the same gradient.
        self._storages = set()

    def __enter__(self) -> '_Totals':
        for i, tensor in enumerate(self._tensors):
            self._handles.append(tensor.register_hook(partial(self._take, i)))
        return self

    def __exit__(self, *exc_info) -> None:
        for handle in self._handles:
            handle.remove()

    def add(self, value: Tensor) -> None:
        """Add the gradients of a scalar."""
        torch.autograd.grad(value, self._tensors, allow_unused=True)

    # Not for Dynamo, which would trace it as soon as a compiled step calls it.
    @torch.compiler.disable
    def _take(self, i: int, gradient: Tensor) -> Tensor:
        if self.gradients[i] is None:
            self.gradients[i] = self._owned(gradient)
        else:
            self.gradients[i] += gradient
        return gradient.new_zeros(()).expand_as(gradient)

    def _owned(self, gradient: Tensor) -> Tensor:
        """A gradient that may be added to: itself, unless it is a view."""
        storage = gradient.untyped_storage()
        taken = storage.data_ptr() in self._storages
        if taken or storage.nbytes() != gradient.nbytes:
            gradient = gradient.clone()
            storage = gradient.untyped_storage()
        self._storages.add(storage.data_ptr())
        return gradient


def _is_half_autocast(device_type: str) -> bool:
    return (
        torch.is_autocast_enabled(device_type)
        and torch.get_autocast_dtype(device_type) == torch.float16
    )
