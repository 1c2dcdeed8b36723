"""The gradient that reaches the student, by noise level."""

import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.registry import DefaultScope

from gendd_mm.benchmark.noise_levels import (
    DRAWS,
    LEVELS,
    has_generative_head,
    measure,
    noise_levels,
)


class LinearLoss:
    """A loss whose gradient by the condition is ``mean`` plus noise."""

    def __init__(self, mean: torch.Tensor, std: float) -> None:
        self.mean, self.std = mean, std

    def loss(self, condition, target, generator, timesteps):
        noise = torch.randn(condition.shape, generator=generator)
        slope = self.mean + self.std * noise
        return (condition * slope).sum(-1).mean()


def test_signal_and_noise_of_a_known_gradient():
    """|mean| = 5; the squares add: 25 + 4 of each of 16 entries."""
    mean = torch.zeros(16)
    mean[:2] = torch.tensor([3.0, 4.0])
    pairs = [(torch.ones(2000, 16), torch.zeros(2000, 4))] * 2
    row = measure(LinearLoss(mean, 2.0), pairs, torch.Generator().manual_seed(0))
    assert row['signal'] == pytest.approx(5, rel=0.02)
    assert row['gradient'] == pytest.approx((25 + 64) ** 0.5, rel=0.02)
    assert row['signal_share'] == pytest.approx(25 / 89, rel=0.04)


def test_without_signal_none_is_found():
    """The square of the mean over draws alone would be 64 / DRAWS."""
    pairs = [(torch.ones(4000, 16), torch.zeros(4000, 4))]
    row = measure(LinearLoss(torch.zeros(16), 2.0), pairs, torch.Generator().manual_seed(0))
    assert row['signal'] ** 2 < 0.05 * 64 / DRAWS


def test_levels_of_a_run(tmp_path, monkeypatch):
    """Each draws the steps of its part, the last those of the config."""
    cfg = small_fashion_mnist.run_config(tmp_path, 'supervised', 'gendd_x0')
    model = small_fashion_mnist.build(cfg)
    head = model.distiller.gendd_loss.head
    for parameter in head.denoiser.parameters():
        # Zero at first, so that no gradient passes.
        torch.nn.init.normal_(parameter, std=0.1)
    seen = {}
    loss, add_noise = head.loss, type(head.process).add_noise

    def spy_on_loss(condition, target, generator=None, timesteps=None):
        now = timesteps or head.process.timesteps
        seen[now.low, now.high] = steps = []

        def spy(process, x_0, t, noise):
            steps.append(t)
            return add_noise(process, x_0, t, noise)

        monkeypatch.setattr(type(head.process), 'add_noise', spy)
        return loss(condition, target, generator, timesteps)

    monkeypatch.setattr(head, 'loss', spy_on_loss)
    generators = small_models.recorded_generators(monkeypatch)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        *levels, trained = noise_levels(model, cfg.train_dataloader)
    assert (torch.device('cpu'),) in generators
    assert (trained['low'], trained['high']) == (None, None)
    assert len(levels) == LEVELS
    bounds = [(level['low'], level['high']) for level in levels]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 1
    for low, high in bounds:
        steps = torch.cat(seen[low, high])
        assert 1000 * low <= steps.min()
        assert steps.max() < 1000 * high
        assert steps.float().mean() == pytest.approx(500 * (low + high), abs=5)
    own = head.process.timesteps
    steps = torch.cat(seen[own.low, own.high])
    assert 1000 * own.low <= steps.min()
    assert steps.max() < 1000 * own.high
    for level in (*levels, trained):
        assert 0 < level['signal'] <= level['gradient']


def test_a_regression_has_none(tmp_path):
    cfg = small_fashion_mnist.run_config(tmp_path, 'supervised', 'regression')
    assert not has_generative_head(small_fashion_mnist.build(cfg))
