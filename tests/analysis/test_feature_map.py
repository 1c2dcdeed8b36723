"""Features side by side: they are those of the run, and one picture."""

import sys
from pathlib import Path

import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.config import Config

from gendd_commands import plot_features as command
from gendd_mm.analysis import FeatureMap, draw_feature_map, feature_map


@pytest.fixture(scope='module')
def run(tmp_path_factory) -> tuple[Config, str]:
    folder = tmp_path_factory.mktemp('run')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder, teacher)
    model = small_fashion_mnist.build(cfg)
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    cfg.dump(str(folder / 'config.py'))
    return cfg, str(folder / 'epoch_1.pth')


def test_features_are_those_of_the_images(run):
    cfg, checkpoint = run
    found = feature_map(cfg, checkpoint, num_images=7)
    model = small_fashion_mnist.build(cfg)
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    model.eval()
    runner = small_models.runner_of(cfg)
    dataset = runner.build_dataloader(cfg.test_dataloader).dataset
    places = [0, 3, 6, 9, 12, 15, 19]
    images = torch.stack([dataset[place]['inputs'] for place in places])
    inputs = model.data_preprocessor(dict(inputs=images), False)['inputs']
    labels = [dataset.get_data_info(place)['gt_label'] for place in places]
    assert found.labels.tolist() == labels
    with torch.no_grad():
        (teacher,) = model.teacher.extract_feat(inputs)
        (student,) = model.student.extract_feat(inputs)
    torch.testing.assert_close(found.teacher, teacher)
    torch.testing.assert_close(found.student, student)
    assert found.generated.shape == found.teacher.shape
    assert not torch.equal(found.generated, found.teacher)


def test_the_command_draws_them(run, tmp_path, monkeypatch, capsys):
    for package in ('matplotlib', 'sklearn'):
        pytest.importorskip(package)
    config = str(Path(run[1]).parent / 'config.py')
    out = str(tmp_path / 'features.png')
    arguments = [config, run[1], '--out', out, '--perplexity', '4']
    monkeypatch.setattr(sys, 'argv', ['plot_features', *arguments])
    command.main()
    assert capsys.readouterr().out.endswith(f'wrote {out}\n')
    assert Path(out).read_bytes()[:4] == b'\x89PNG'


def test_too_few_images_are_named(tmp_path):
    features = FeatureMap(*(torch.randn(5, 3) for _ in range(3)), torch.arange(5))
    with pytest.raises(ValueError, match=r'perplexity=30\.0 must be below .* 5; take more'):
        draw_feature_map(features, tmp_path / 'a.png')


def test_a_run_without_test_images_is_named(run):
    cfg = run[0].copy()
    cfg.test_dataloader = None
    with pytest.raises(ValueError, match='has no test_dataloader; set one'):
        feature_map(cfg, run[1])


def test_a_run_that_generates_nothing_is_named(tmp_path):
    cfg = Config.fromfile(small_models.CONFIGS / 'digits' / 'teacher_digits.py')
    path = small_models.digits_teacher(tmp_path / 'teacher.pth')
    with pytest.raises(ValueError, match='trains a ImageClassifier, which generates nothing'):
        feature_map(cfg, path)
