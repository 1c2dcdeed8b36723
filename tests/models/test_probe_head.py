"""LinearProbeHead: a plain classifier that never moves the backbone."""

import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.models import LinearClsHead
from mmpretrain.structures import DataSample

from gendd_mm.models import LinearProbeHead
from gendd_mm.models.heads.standardizer import fold_standardizer

NUM_CLASSES, IN_CHANNELS = 3, 5


def probe(**settings) -> LinearProbeHead:
    return LinearProbeHead(NUM_CLASSES, IN_CHANNELS, **settings)


@pytest.fixture
def feature():
    return torch.randn(4, IN_CHANNELS, requires_grad=True)


def hard_samples() -> list:
    return [DataSample().set_gt_label(label) for label in (0, 2, 1, 1)]


def test_probe_sends_no_gradient_to_the_features(feature):
    head = probe()
    head.loss((feature,), hard_samples())['loss'].backward()
    assert feature.grad is None
    assert (head.fc.weight.grad != 0).any()


def test_probe_is_mmpretrains_linear_head_on_the_last_stage(feature):
    head = probe()
    plain = LinearClsHead(NUM_CLASSES, IN_CHANNELS)
    plain.load_state_dict(head.state_dict(), strict=True)
    stages = (torch.randn(4, 2), feature)
    assert head(stages).equal(plain(stages))
    assert head.loss(stages, hard_samples())['loss'].equal(
        plain.loss(stages, hard_samples())['loss']
    )
    for ours, theirs in zip(head.predict(stages), plain.predict(stages)):
        assert ours.pred_score.equal(theirs.pred_score)


def test_soft_labels_give_their_cross_entropy(feature):
    scores = torch.rand(4, NUM_CLASSES).softmax(1)
    samples = [DataSample().set_gt_score(score) for score in scores]
    head = probe(loss=dict(type='CrossEntropyLoss', use_soft=True))
    loss = head.loss((feature,), samples)['loss']
    log_probability = head((feature,)).log_softmax(1)
    torch.testing.assert_close(loss, -(scores * log_probability).sum(1).mean())


def test_standardised_it_is_still_a_linear_head(feature):
    """The layer that is exported gives the same scores."""
    head = probe(standardize=True)
    for _ in range(3):
        head.loss((2 + 5 * feature,), hard_samples())
    head.eval()
    plain = LinearClsHead(NUM_CLASSES, IN_CHANNELS)
    plain.load_state_dict(fold_standardizer(head.state_dict(), 'standardizer', 'fc'), strict=True)
    torch.testing.assert_close(head((feature,)), plain((feature,)))


def test_a_standardised_probe_learns_whatever_the_scale(feature):
    losses = []
    for scale in (1e-3, 1e3):
        torch.manual_seed(0)
        head = probe(standardize=True)
        losses.append(head.loss((scale * feature,), hard_samples())['loss'])
    torch.testing.assert_close(*losses)


def test_untrainable_it_reads_no_labels_and_is_frozen(feature):
    head = probe(trainable=False)
    assert head.loss((feature,), [DataSample() for _ in range(4)]) == {}
    assert not any(p.requires_grad for p in head.parameters())
    # It still classifies, so that the student has its usual forward.
    assert head((feature,)).shape == (4, NUM_CLASSES)


def test_builds_in_other_projects(build):
    head = build(MODELS, type='gendd_mm.LinearProbeHead', num_classes=3, in_channels=5)
    assert isinstance(head, LinearProbeHead)
    assert head.trainable
