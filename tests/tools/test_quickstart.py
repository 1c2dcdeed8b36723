"""The quick start: the student that it exports is read by mmpretrain, sizes and all."""

import os
from dataclasses import replace
from pathlib import Path

import small_fashion_mnist
import small_models
import torch
from small_models import CONFIGS

from gendd_commands import quickstart
from gendd_mm.benchmark import Recipe, Run, prepare_runs


def test_the_exported_student_classifies_the_test_images(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(small_models.ROOT))
    recipe = Recipe.read(str(CONFIGS / 'digits' / 'quickstart.yml'))
    recipe = replace(recipe, work_dir=str(tmp_path))
    (run,) = prepare_runs(recipe, [Run('unlabeled', 'gendd_recommended', 0)])
    for folder in (run.work_dir, run.teacher.work_dir):
        os.makedirs(folder)
    # As whole runs leave them, but untrained.
    teacher = small_models.digits_teacher(Path(run.teacher.work_dir) / 'epoch_20.pth')
    model = small_fashion_mnist.build(run.runner_config(teacher))
    torch.save(dict(state_dict=model.state_dict(), meta={}), Path(run.work_dir) / 'epoch_20.pth')
    top1 = quickstart.classify(recipe, 0)
    assert 0 <= top1 <= 100
    assert (tmp_path / 'exported' / 'student.py').is_file()
    assert 'in_channels=8' in (tmp_path / 'exported' / 'student.py').read_text()
