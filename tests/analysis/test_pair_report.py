"""A pair is described by what one batch shows."""

import re

import pytest
import small_models

from gendd_mm.analysis.pair_report import inspect_pair
from gendd_mm.engine.options import read_run


@pytest.fixture
def cfg(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    return small_models.shrunk('gendd_digits.py', tmp_path, teacher)


def test_the_table_says_what_is_taught(cfg):
    rows = dict(inspect_pair(cfg, batch_size=4))
    assert rows['images'].startswith('(4, 3, 8, 8)')
    assert rows['target'].startswith("input of 'head.fc', (4, 256)")
    assert rows['classes'] == '10 of the teacher'
    assert rows['condition'].startswith("output of 'neck', (4, ")
    assert rows['gradient'].startswith('reaches all ')
    assert {'training step', 'teacher alone', 'prediction, probe', 'prediction, both'} <= set(rows)


def giga(row: str) -> float:
    return float(re.search(r'([\d.e-]+) G multiply-adds', row)[1])


def test_multiply_adds_follow_what_runs(cfg):
    rows = dict(inspect_pair(cfg, batch_size=4))
    # The teacher forward; the student forward and back.
    assert giga(rows['training step']) > giga(rows['teacher']) + 2 * giga(rows['student'])
    small_models.head_of(cfg).sampling.update(num_steps=6)
    longer = dict(inspect_pair(cfg, batch_size=4))
    assert giga(longer['head']) == pytest.approx(2 * giga(rows['head']), rel=0.2)
    assert giga(longer['training step']) == giga(rows['training step'])
    # The student, the head, and the teacher's classifier.
    assert giga(rows['prediction, probe']) == giga(rows['student'])
    both = giga(rows['student']) + giga(rows['head'])
    assert both < giga(rows['prediction, both']) < 1.1 * both
    assert all(' ms for 4 images' in rows[name] for name in ('head', 'teacher alone'))


def test_what_the_loss_does_not_reach_is_named(cfg, monkeypatch):
    forward = 'mmpretrain.models.backbones.resnet_cifar.ResNet_CIFAR.forward'
    true_forward = small_models.MODELS.get('mmpretrain.ResNet_CIFAR').forward

    def cut(self, x):
        feature = true_forward(self, x)[-1]
        # The stem has no part in it.
        return (feature.detach() + next(self.layer1.parameters()).sum(),)

    monkeypatch.setattr(forward, cut)
    with pytest.raises(ValueError, match=r"does not reach \['conv1'.*frozen_stages"):
        inspect_pair(cfg)


def test_another_model_is_refused(tmp_path):
    cfg = read_run(str(small_models.CONFIGS / 'digits' / 'teacher_digits.py'))
    with pytest.raises(ValueError, match='trains a ImageClassifier; give a config of GenDD'):
        inspect_pair(cfg)
