"""Random weights for which no two entries can be mistaken for each other."""

from collections.abc import Mapping

from torch import Tensor


def randomize(weights: Mapping[str, Tensor]) -> None:
    """Fill a state dict: signals keep their scale, norms and biases matter."""
    for name, value in weights.items():
        if not value.is_floating_point():
            continue  # counters and index tables
        if name.endswith('running_var'):
            value.uniform_(0.5, 2)
        elif value.dim() > 1:
            value.normal_(std=value[0].numel() ** -0.5)
        else:
            value.normal_(mean=float(name.endswith('.weight')), std=0.2)
