"""Linear layers that can leave float32 products on the CPU to oneDNN."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.flop_counter import register_flop_formula

# oneDNN is faster from about here: measured, it loses at 0.6 million
# multiply-adds (64 rows of 64 x 128) and wins at 8 million (512 of 128 x 128).
FEWEST_MULTIPLY_ADDS = 2**21

_onednn = False


def use_onednn(enabled: bool = True) -> None:
    """Switch the head's float32 products on the CPU to oneDNN, or back.

    It is off by default; the switch is global to the process. torch multiplies float32
    matrices by MKL, which is limited to AVX2 on AMD processors; oneDNN uses AVX-512
    there. ``tools/benchmarks/head.py`` measures both on your machine. oneDNN is called
    by a private operator of torch, which may disappear, and layers become
    differentiable only once.

    Args:
        enabled: Whether products that are large enough go to oneDNN.

    Raises:
        RuntimeError: If this build of torch does not have the operator.
    """
    global _onednn
    if enabled and not has_onednn():
        raise RuntimeError(
            f'torch {torch.__version__} has no torch.ops.mkldnn._linear_pointwise on this '
            'machine; remove the call of use_onednn().'
        )
    _onednn = enabled


def has_onednn() -> bool:
    """Whether :func:`use_onednn` can be switched on here."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, '_linear_pointwise')


class Linear(nn.Linear):
    """``nn.Linear`` that follows :func:`use_onednn`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """``inputs @ weight.T + bias``, (..., in_features) to (..., out)."""
        return linear(inputs, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``, by oneDNN where :func:`use_onednn` asks for it.

    Args:
        inputs: Shape (..., in_features).
        weight: Shape (out_features, in_features).
        bias: Shape (out_features,). None means none.

    Returns:
        ``inputs @ weight.T + bias``, shape (..., out_features).
    """
    if _onednn and _suits_onednn(inputs, weight, bias):
        return _OneDNNLinear.apply(inputs, weight, bias)
    # Shapes that do not fit raise torch's own errors here.
    return F.linear(inputs, weight, bias)


class _OneDNNLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        of_inputs, of_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(inputs if of_weight else None, weight if of_inputs else None)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.size(-1))
        return (
            None if weight is None else _product(gradient, weight.t()),
            None if inputs is None else _product(rows.t(), inputs.reshape(-1, inputs.size(-1)).t()),
            rows.sum(0) if ctx.needs_input_grad[2] else None,
        )


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.T + bias`` by oneDNN."""
    return torch.ops.gendd_mm.onednn_linear(inputs, weight, bias)


# An operator of our own: torch.compile takes it as it is, and torch's counter
# of multiply-adds knows it.
_library = torch.library.Library('gendd_mm', 'FRAGMENT')
_library.define('onednn_linear(Tensor inputs, Tensor weight, Tensor? bias) -> Tensor')


@torch.library.impl(_library, 'onednn_linear', 'CPU')
def _onednn_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    # torch has no public name for it. It respects strides, but not the bias's.
    return torch.ops.mkldnn._linear_pointwise(
        inputs, weight, None if bias is None else bias.contiguous(), 'none', [], ''
    )


@torch.library.register_fake('gendd_mm::onednn_linear')
def _shape_of_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return inputs.new_empty(*inputs.shape[:-1], weight.size(0))


@register_flop_formula(torch.ops.gendd_mm.onednn_linear)
def _flops_of_linear(inputs: torch.Size, weight: torch.Size, *args, **kwargs) -> int:
    return 2 * inputs.numel() * weight[0]


def _suits_onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    tensors = (inputs, weight) if bias is None else (inputs, weight, bias)
    return (
        all(tensor.device.type == 'cpu' and tensor.dtype == torch.float32 for tensor in tensors)
        and weight.dim() == 2
        and inputs.dim() > 0
        and inputs.size(-1) == weight.size(1)
        and (bias is None or bias.shape == weight.shape[:1])
        and inputs.numel() * weight.size(0) >= FEWEST_MULTIPLY_ADDS
        and not torch.is_autocast_enabled('cpu')
    )
