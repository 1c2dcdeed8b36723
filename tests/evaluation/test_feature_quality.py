"""FeatureQuality: kNN, linear probe and cosine, against scikit-learn."""

import numpy as np
import pytest
import torch
from mmengine.dist import get_rank
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from two_ranks import on_two_ranks

from gendd_mm.evaluation import FeatureQuality

NUM, CLASSES = 120, 4


@pytest.fixture
def samples() -> list[DataSample]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (NUM,), generator=generator)
    centers = torch.randn(CLASSES, 6, generator=generator)
    made = []
    for label in labels:
        sample = DataSample().set_gt_label(label)
        noise = torch.randn(3, 6, generator=generator)
        for name, noisy in zip(('feature', 'target', 'generated'), centers[label] + noise):
            sample.set_field(noisy, name)
        made.append(sample)
    return made


def evaluate(metric, samples, batch_size=50) -> dict:
    evaluator = Evaluator([metric])
    for first in range(0, len(samples), batch_size):
        evaluator.process(samples[first : first + batch_size])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('k', [1, 20, 1000])
def test_accuracies_are_those_of_scikit_learn(samples, k):
    metrics = evaluate(FeatureQuality(k=k, linear_iterations=500), samples)
    samples = sorted(samples, key=lambda sample: sample.gt_label.item())
    labels = np.array([sample.gt_label.item() for sample in samples])
    for name, field in (('student', 'feature'), ('teacher', 'target')):
        features = np.stack([sample.get(field).numpy() for sample in samples])
        knn = KNeighborsClassifier(
            min(k, NUM // 2), metric='cosine', weights=lambda d: np.exp((1 - d) / 0.07)
        )
        scaled = StandardScaler().fit(features[::2]).transform(features)
        for path, model, inputs in (
            ('knn', knn, features),
            ('linear', LogisticRegression(C=1.0, tol=1e-8, max_iter=1000), scaled),
        ):
            accuracy = model.fit(inputs[::2], labels[::2]).score(inputs[1::2], labels[1::2])
            assert metrics[f'{name}/{path}'] == pytest.approx(100 * accuracy)
            assert 30 < metrics[f'{name}/{path}'] < 100


def test_cosine_needs_no_labels(samples):
    pairs = [(s.generated.numpy(), s.target.numpy()) for s in samples]
    expected = np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs])
    assert evaluate(FeatureQuality(), samples)['gen/cosine'] == pytest.approx(expected, abs=1e-6)
    for sample in samples:
        del sample.gt_label
    assert evaluate(FeatureQuality(), samples) == {'gen/cosine': pytest.approx(expected, abs=1e-6)}


def test_classes_that_alternate_are_in_both_halves(samples):
    zeros, ones = ([s for s in samples if s.gt_label == label][:20] for label in (0, 1))
    in_turns = [sample for pair in zip(zeros, ones) for sample in pair]
    metrics = evaluate(FeatureQuality(), in_turns)
    assert metrics == pytest.approx(evaluate(FeatureQuality(), zeros + ones))
    assert metrics['student/knn'] > 50


def test_samples_without_one_label_count_for_the_cosine_alone(samples):
    labelled, others = samples[:90], samples[90:]
    expected = evaluate(FeatureQuality(), labelled)
    for number, sample in enumerate(others):
        sample.gt_label = torch.tensor([[-1], [0, 1]][number % 2])
    metrics = evaluate(FeatureQuality(), samples)
    assert metrics.pop('gen/cosine') != expected.pop('gen/cosine')
    assert metrics == expected
    for sample in samples:  # any numbers, and no memory for those between
        sample.gt_label = sample.gt_label * 10**12
    assert {
        k: v for k, v in evaluate(FeatureQuality(), samples).items() if k in expected
    } == expected


def test_the_teacher_is_measured_once(samples):
    metric = FeatureQuality()
    first = evaluate(metric, samples)
    for sample in samples:
        sample.set_field(torch.zeros(6), 'feature')
        sample.set_field(torch.randn(6), 'target')
    metric.process(None, [samples[0].to_dict()])
    assert 'teacher' not in metric.results.pop()  # nor kept in memory
    second = evaluate(metric, samples)
    for path in ('knn', 'linear'):
        assert second[f'teacher/{path}'] == first[f'teacher/{path}']
        assert second[f'student/{path}'] < first[f'student/{path}']


def test_padding_and_the_size_of_batches_change_nothing(samples):
    evaluator = Evaluator([FeatureQuality()])
    evaluator.process([*samples, *samples[:7]])  # as a sampler fills the last batch
    assert evaluator.evaluate(NUM) == evaluate(FeatureQuality(), samples, batch_size=7)


def of_rank(samples) -> list[dict]:
    """Two evaluations of a rank's share, which is filled up to that of the other rank."""
    metric, share = FeatureQuality(), samples[get_rank() :: 2]
    share += samples[: (len(samples) + 1) // 2 - len(share)]
    reports = []
    for _ in range(2):
        metric.process(None, [sample.to_dict() for sample in share])
        reports.append(metric.evaluate(len(samples)))
    return reports


def test_two_ranks_report_what_one_does(samples):
    samples = samples[:-1]
    expected = evaluate(FeatureQuality(), samples)
    for reports in on_two_ranks(of_rank, samples):
        assert reports == [expected, expected]


def test_wrong_settings_are_refused(samples):
    with pytest.raises(ValueError, match='k=0 must be at least 1'):
        FeatureQuality(k=0)
    with pytest.raises(ValueError, match='temperature=0 must be positive'):
        FeatureQuality(temperature=0)
    with pytest.raises(ValueError, match='there is 1 image with a label'):
        evaluate(FeatureQuality(), samples[:1])
