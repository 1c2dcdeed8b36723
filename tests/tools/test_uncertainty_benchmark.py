"""The benchmark of uncertainty."""

import runpy
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.structures import DataSample
from small_models import CONFIGS, ROOT

from gendd_mm.engine.options import read_run
from gendd_mm.inference import spread


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
