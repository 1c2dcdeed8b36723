"""The benchmark of uncertainty, and the page that shows what it found."""

import runpy
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.structures import DataSample
from small_models import CONFIGS, ROOT

from gendd_mm.benchmark.records import read_records
from gendd_mm.engine.options import read_run
from gendd_mm.inference import spread

RECORDS = ROOT / 'docs' / 'benchmark' / 'uncertainty.jsonl'


@pytest.fixture(scope='module')
def tool() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / 'tools/benchmarks/uncertainty.py')))


def answered(own: torch.Tensor, draws: torch.Tensor) -> list[DataSample]:
    """Samples with scores (N, C) of their own and draws (N, K, C)."""
    samples = []
    for probe_score, draw_scores in zip(own, draws, strict=True):
        sample = DataSample()
        sample.set_field(probe_score, 'probe_score')
        sample.set_field(draw_scores, 'draw_scores')
        for name, value in spread(draw_scores)._asdict().items():
            sample.set_field(value, name)
        samples.append(sample)
    return samples


def test_who_knows_what_is_foreign_is_told_apart_from_who_does_not(tool):
    labels = torch.arange(6) % 3
    sure = torch.eye(3).double()[labels]
    vague = torch.full((4, 3), 1 / 3).double()
    disagreeing = torch.eye(3).double()[None].expand(4, 3, 3)
    # Right and sure of known images; of foreign ones the draws disagree, and the student's
    # own classifier is as sure as ever.
    known = answered(sure, sure[:, None].expand(-1, 3, -1))
    found = tool.measures(known, answered(sure[:4], disagreeing), labels)
    perfect = dict(top1=100, calibration=0, risk=0, auroc=100)
    assert found['generative'] == pytest.approx(perfect)
    assert found['generative, spread'] == pytest.approx(perfect)
    assert found['own classifier'] == pytest.approx(perfect | dict(auroc=50))
    # Draws that doubt and agree: their entropy sees it, their disagreement does not.
    found = tool.measures(known, answered(vague, vague[:, None].expand(-1, 3, -1)), labels)
    assert found['generative']['auroc'] == 100
    assert found['generative, spread']['auroc'] == 50


def test_the_images_are_those_of_the_test_set_without_its_pipeline(tool):
    images, labels = tool.images_and_labels(read_run(str(CONFIGS / 'gendd_digits.py')))
    assert len(images) == len(labels) == 597
    assert {(image.shape, image.dtype.name) for image in images} == {((8, 8, 3), 'uint8')}


def test_the_page_shows_what_the_lines_say(tool):
    records = read_records(RECORDS)
    runs = sorted((each['config'], each['guidance'], each['seed']) for each in records)
    kinds = {run[:2] for run in runs}
    assert runs == sorted((*kind, seed) for kind in kinds for seed in range(3))
    assert {config for config, _ in kinds} >= {'gendd_digits', 'gendd_recommended'}
    assert tool.table(records) in (ROOT / 'docs' / 'uncertainty.md').read_text()
