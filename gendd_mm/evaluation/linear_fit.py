"""A linear layer, fitted to frozen features until it converges."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fit_linear(
    features: Tensor, labels: Tensor, num_classes: int, max_iterations: int = 500
) -> nn.Linear:
    """Multinomial logistic regression on frozen features, to convergence.

    Minimises the mean cross-entropy plus |W|^2 / (2 N) by L-BFGS. Features
    are standardised first; the standardisation is folded into the layer
    afterwards. The problem is convex: no seed or learning rate matters.

    Args:
        features: Features, shape (N, S).
        labels: Class indices, shape (N, ), or probabilities, (N, C).
        num_classes: C.
        max_iterations: Most iterations of L-BFGS. Defaults to 500.

    Returns:
        The layer for the features as given, float64.
    """
    features = features.double()
    mean = features.mean(0)
    # A constant feature carries no information; with std 1 it becomes zero.
    std = features.std(0, unbiased=False)
    std = torch.where(std > 0, std, torch.ones_like(std))
    inputs = (features - mean) / std
    layer = nn.Linear(features.size(1), num_classes).double()
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=max_iterations,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=1e-10,
        line_search_fn='strong_wolfe',
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = layer.weight.square().sum() / (2 * len(inputs))
        loss = F.cross_entropy(layer(inputs), labels) + penalty
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    with torch.no_grad():
        # W (f - mean) / std + b
        layer.weight.div_(std)
        layer.bias.sub_(layer.weight @ mean)
    return layer.requires_grad_(False)
