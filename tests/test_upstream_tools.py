"""Tools of mmpretrain and MMRazor, and torch.save, on a config of GenDD."""

import importlib.util
import runpy
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.config import Config

TOOLS = Path(importlib.util.find_spec('mmpretrain').origin).parent / '.mim' / 'tools'


@pytest.fixture(scope='module')
def cfg(tmp_path_factory) -> Config:
    folder = tmp_path_factory.mktemp('run')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    return small_models.shrunk('gendd_digits.py', folder, teacher)


@pytest.fixture
def config(cfg) -> str:
    path = str(Path(cfg.work_dir) / 'config.py')
    cfg.dump(path)
    return path


def run_tool(monkeypatch, name: str, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', [name, *arguments])
    runpy.run_path(str(TOOLS / name), run_name='__main__')


def test_mmpretrain_counts_the_students_operations(config, monkeypatch, capsys):
    run_tool(monkeypatch, 'analysis_tools/get_flops.py', config, '--shape', '8', '8')
    out = capsys.readouterr().out
    assert 'Input shape: (3, 8, 8)' in out
    flops = out.split('Flops: ')[1].split('\n')[0]
    assert flops.endswith('M')
    assert 'student.backbone' in out or 'backbone' in out


def test_mmpretrain_draws_the_students_features(cfg, config, monkeypatch, tmp_path):
    import sklearn.manifold

    # scikit-learn 1.7 removed the name that mmpretrain gives its iterations.
    tsne = sklearn.manifold.TSNE
    monkeypatch.setattr(
        sklearn.manifold,
        'TSNE',
        lambda n_iter, **settings: tsne(max_iter=n_iter, **settings),
    )
    model = small_fashion_mnist.build(cfg)
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    run_tool(
        monkeypatch,
        'visualization/vis_tsne.py',
        config,
        *('--checkpoint', str(checkpoint), '--work-dir', str(tmp_path)),
        *('--n-iter', '250', '--perplexity', '5'),
    )
    (features,) = tmp_path.glob('tsne_*/*.npy')
    (picture,) = tmp_path.glob('tsne_*/*.png')
    assert picture.stat().st_size > 0
    dataset = cfg.test_dataloader.dataset
    assert np.load(features).shape == (dataset.indices, model.student.head.fc.in_features)


def test_mmrazor_validates_the_teacher_too(cfg, tmp_path):
    cfg = cfg.copy()
    cfg.experiment_name, cfg.work_dir = uuid.uuid4().hex, str(tmp_path)
    cfg.val_cfg = dict(type='mmrazor.SingleTeacherDistillValLoop')
    runner = small_models.runner_of(cfg)
    metrics = {}
    runner.call_hook = lambda name, **values: metrics.update(values.get('metrics') or {})
    runner.val_loop.run()
    assert set(metrics) == {'gen/top1', 'probe/top1', 'teacher.gen/top1'}
    teacher, right = runner.model.teacher, 0
    for batch in runner.val_dataloader:
        data = runner.model.data_preprocessor(batch, False)
        answers = teacher.model(data['inputs'], mode='tensor').argmax(1)
        labels = torch.cat([sample.gt_label for sample in data['data_samples']])
        right += (answers == labels).sum().item()
    expected = 100 * right / len(runner.val_dataloader.dataset)
    assert metrics['teacher.gen/top1'] == pytest.approx(expected)


def test_a_whole_model_is_saved_and_read(cfg, tmp_path):
    """By pickle: only among those who trust each other, as always with torch.save(model)."""
    model = small_fashion_mnist.build(cfg).eval()
    path = tmp_path / 'model.pth'
    torch.save(model, path)
    images = torch.rand(3, 3, 8, 8)
    code = (
        'import sys, torch, gendd_mm\n'
        f'model = torch.load({str(path)!r}, weights_only=False)\n'
        f'images = torch.load({str(tmp_path / "images.pth")!r})\n'
        'samples = model.predict(images, num_draws=2)\n'
        f'torch.save([s.pred_score for s in samples], {str(tmp_path / "scores.pth")!r})\n'
    )
    torch.save(images, tmp_path / 'images.pth')
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)
    expected = [sample.pred_score for sample in model.predict(images, num_draws=2)]
    torch.testing.assert_close(torch.load(tmp_path / 'scores.pth'), expected)
