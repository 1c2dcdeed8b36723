"""A fitted layer is logistic regression at its optimum."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from gendd_mm.evaluation.linear_fit import fit_linear


def clusters(count: int, spread: float = 1.5) -> tuple:
    """Overlapping classes in five dimensions of very different scales."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(4, 5, generator=generator)
    labels = torch.arange(count) % 4
    noise = spread * torch.randn(count, 5, generator=generator)
    scales = torch.tensor([1e-2, 1.0, 1e2, 1.0, 1e-3])
    return (centers[labels] + noise) * scales + scales, labels


def test_it_is_scikit_learns():
    """The penalty |W|^2 / (2 N) beside a mean is C = 1 there."""
    features, labels = clusters(400)
    layer = fit_linear(features, labels, 4)
    scaler = StandardScaler().fit(features.double().numpy())
    reference = LogisticRegression(tol=1e-10, max_iter=10000).fit(
        scaler.transform(features.double().numpy()), labels.numpy()
    )
    probabilities = layer(features.double()).softmax(1).numpy()
    np.testing.assert_allclose(
        probabilities,
        reference.predict_proba(scaler.transform(features.double().numpy())),
        atol=1e-5,
    )


def test_it_cannot_be_improved():
    features, labels = clusters(200)
    layer = fit_linear(features, labels, 4)
    # In the standardised features, where the penalty is.
    inputs = features.double()
    std = inputs.std(0, unbiased=False)
    weight = (layer.weight * std).requires_grad_()
    bias = (layer.bias + layer.weight @ inputs.mean(0)).requires_grad_()
    inputs = (inputs - inputs.mean(0)) / std
    loss = F.cross_entropy(F.linear(inputs, weight, bias), labels)
    loss = loss + weight.square().sum() / (2 * len(inputs))
    for gradient in torch.autograd.grad(loss, (weight, bias)):
        assert gradient.abs().max() < 1e-5


def test_scale_and_shift_of_the_features_do_not_matter():
    features, labels = clusters(200)
    scores = fit_linear(features, labels, 4)(features.double())
    moved = 100 * features.double() - 3
    torch.testing.assert_close(fit_linear(moved, labels, 4)(moved), scores, rtol=0, atol=1e-4)


def test_a_constant_feature_is_no_trouble():
    features, labels = clusters(100, spread=0.1)
    features[:, 0] = 7
    layer = fit_linear(features, labels, 4)
    assert layer.weight.isfinite().all()
    assert (layer(features.double()).argmax(1) == labels).all()
