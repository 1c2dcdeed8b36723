"""ProbeAccuracy: both prediction paths in one pass."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmpretrain.structures import DataSample

from gendd_mm.evaluation import ProbeAccuracy

# Four samples, three classes. By hand: the generative path is right for the
# first, second and fourth; the probe for the second alone, and within its
# first two for the first and second.
LABELS = [0, 1, 2, 2]
GEN = [[0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.7, 0.1, 0.2], [0.2, 0.3, 0.5]]
PROBE = [[0.4, 0.5, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]]


def evaluate(metric, gen=GEN, probe=PROBE, batch_size=4) -> dict:
    samples = []
    for i, label in enumerate(LABELS):
        sample = DataSample().set_gt_label(label)
        if gen:
            sample.set_pred_score(torch.tensor(gen[i]))
        if probe:
            sample.set_field(torch.tensor(probe[i]), 'probe_score')
        samples.append(sample)
    evaluator = Evaluator([metric])
    for first in range(0, len(samples), batch_size):
        evaluator.process(samples[first : first + batch_size])
    return evaluator.evaluate(len(samples))


def test_top1_of_both_paths_is_that_by_hand():
    assert evaluate(ProbeAccuracy()) == {'gen/top1': 75.0, 'probe/top1': 25.0}


def test_topk_counts_a_label_among_the_first_k():
    assert evaluate(ProbeAccuracy(topk=(1, 2))) == {
        'gen/top1': 75.0,
        'gen/top2': 100.0,
        'probe/top1': 25.0,
        'probe/top2': 50.0,
    }
    assert evaluate(ProbeAccuracy(topk=3)) == {
        'gen/top3': 100.0,
        'probe/top3': 100.0,
    }


def test_batches_do_not_matter():
    assert evaluate(ProbeAccuracy(), batch_size=3) == evaluate(ProbeAccuracy())


def test_a_path_without_scores_is_left_out():
    assert evaluate(ProbeAccuracy(), probe=None) == {'gen/top1': 75.0}
    assert evaluate(ProbeAccuracy(), gen=None) == {'probe/top1': 25.0}


def test_a_k_above_the_number_of_classes_is_an_error():
    with pytest.raises(ValueError, match='Top-4'):
        evaluate(ProbeAccuracy(topk=4))


def test_builds_in_other_projects(build):
    metric = build(METRICS, type='gendd_mm.ProbeAccuracy', topk=(1, 5))
    assert isinstance(metric, ProbeAccuracy)
