"""ShotAccuracy: top-1 by the number of training images of a class."""

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmpretrain.structures import DataSample

from gendd_mm.evaluation import ProbeAccuracy, ShotAccuracy

# Medium includes both of its ends.
COUNTS = [101, 100, 20, 19, 0, 5]
GROUPS = dict(many=[0], medium=[1, 2], few=[3, 4, 5])
# Not a multiple of two processes times a batch; class 5 has no test image.
SIZE, BATCH_SIZE = 37, 4


def samples(num_classes: int = 6, tested: int = 5) -> list:
    random = np.random.default_rng(0)
    found = []
    for i in range(SIZE):
        sample = DataSample().set_gt_label(i % tested)
        for field in ('pred_score', 'probe_score'):
            score = random.random(num_classes)
            score[i % tested] += random.random() * 0.7
            sample.set_field(torch.tensor(score), field)
        found.append(sample)
    return found


def evaluate(metric, data=None, indices=None, size=SIZE) -> dict:
    data = samples() if data is None else data
    indices = list(range(len(data))) if indices is None else indices
    evaluator = Evaluator([metric])
    for first in range(0, len(indices), BATCH_SIZE):
        evaluator.process([data[i] for i in indices[first : first + BATCH_SIZE]])
    return evaluator.evaluate(size)


def by_hand(field: str) -> dict:
    """Sample by sample, in plain Python."""
    right = {}
    for sample in samples():
        guess = max(range(6), key=lambda k: sample.get(field)[k])
        label = int(sample.gt_label)
        right.setdefault(label, []).append(float(guess == label))
    of_class = {k: 100 * sum(v) / len(v) for k, v in right.items()}
    found = {
        group: np.mean([of_class[k] for k in classes if k in of_class])
        for group, classes in GROUPS.items()
    }
    everything = [value for values in right.values() for value in values]
    return {'top1': 100 * np.mean(everything), **found}


@pytest.fixture(scope='module')
def expected() -> dict:
    found = {
        f'{path}/{key}': value
        for path, field in (('gen', 'pred_score'), ('probe', 'probe_score'))
        for key, value in by_hand(field).items()
    }
    # A reference that tells the groups apart.
    assert len({round(value, 3) for value in found.values()}) >= 6
    return found


def test_groups_of_both_paths_are_those_by_hand(expected):
    assert evaluate(ShotAccuracy(COUNTS)) == pytest.approx(expected)


def test_overall_is_that_of_probe_accuracy():
    found = evaluate(ShotAccuracy(COUNTS, topk=(1, 2)))
    plain = evaluate(ProbeAccuracy(topk=(1, 2)))
    assert plain.items() <= found.items()


def test_on_a_balanced_set_a_group_is_the_mean_of_its_images():
    data = samples(tested=6)[:36]
    found = evaluate(ShotAccuracy(COUNTS), data, size=36)
    group = [s for s in data if int(s.gt_label) in GROUPS['few']]
    right = [s.pred_score.argmax() == s.gt_label for s in group]
    assert found['gen/few'] == pytest.approx(100 * np.mean(right))


def test_a_group_without_a_tested_class_is_left_out():
    found = evaluate(ShotAccuracy([50, 50, 50, 50, 50, 5]))
    assert set(found) == {
        f'{path}/{key}' for path in ('gen', 'probe') for key in ('top1', 'medium')
    }


def test_counts_of_an_annotation_file(tmp_path, expected):
    lines = [f'a folder/{k}_{i}.jpg {k}' for k, n in enumerate(COUNTS[:4]) for i in range(n)]
    (tmp_path / 'train.txt').write_text('\n'.join(lines) + '\n\n')
    # The last two classes have no training image.
    metric = ShotAccuracy(str(tmp_path / 'train.txt'))
    assert metric.train_counts.tolist() == COUNTS[:4]
    assert evaluate(metric) == pytest.approx(expected)


def test_counts_of_a_dataset():
    digits = dict(type='gendd_mm.DigitsDataset', pipeline=[])
    tail = dict(type='gendd_mm.LongTailed', imbalance=10, dataset=digits)
    counts = ShotAccuracy(tail).train_counts.tolist()
    assert len(counts) == 10
    assert counts[0] == 116
    assert counts[-1] == 11
    twice = dict(type='RepeatDataset', times=2, dataset=digits)
    assert ShotAccuracy(twice).train_counts.sum() == 2400


@pytest.mark.parametrize('counts', [COUNTS[:5], [*COUNTS, 1]])
def test_counts_of_other_classes_are_an_error(counts):
    message = f'train_counts has {len(counts)} classes, but the scores have 6'
    with pytest.raises(ValueError, match=message):
        evaluate(ShotAccuracy(counts))


# Distributed.
def evaluate_in_parts(rank: int, folder: str) -> None:
    """Evaluate as one of two processes, for both ways to share a set."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    found = []
    for round_up in (True, False):
        for device in ('cpu', 'gpu'):
            data = samples()
            indices = DefaultSampler(data, shuffle=False, round_up=round_up)
            metric = ShotAccuracy(COUNTS, collect_device=device)
            found.append(evaluate(metric, data, list(indices)))
    torch.save(found, f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_two_processes_with_uneven_batches_count_as_one(tmp_path, monkeypatch, expected):
    assert SIZE % (2 * BATCH_SIZE)
    assert SIZE % 2
    monkeypatch.chdir(tmp_path)  # MMEngine collects in the current folder
    # Forked: the imports are there already.
    torch.multiprocessing.start_processes(
        evaluate_in_parts, (str(tmp_path),), nprocs=2, start_method='fork'
    )
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pt')
        assert len(found) == 4
        for metrics in found:
            assert metrics == pytest.approx(expected)


def test_builds_in_other_projects(build):
    metric = build(METRICS, type='gendd_mm.ShotAccuracy', train_counts=COUNTS)
    assert isinstance(metric, ShotAccuracy)
