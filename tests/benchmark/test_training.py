"""Runs that train in several processes, and the quick start's recipe."""

from multiprocessing import active_children

import pytest
import small_models
import torch
from small_models import CONFIGS

from gendd_commands import quickstart
from gendd_mm.benchmark import PreparedRun, Recipe, Run, prepare_runs
from gendd_mm.benchmark.training import train_run


@pytest.fixture
def teacher(tmp_path) -> str:
    return small_models.digits_teacher(tmp_path / 'teacher.pth')


@pytest.fixture
def run(tmp_path) -> PreparedRun:
    """24 images, 4 at a time in each of two processes: 3 steps an epoch."""
    cfg = small_models.shrunk('gendd_digits.py', tmp_path / 'work')
    cfg.train_dataloader.batch_size = 4
    cfg.default_hooks.checkpoint.interval = 1
    return PreparedRun(Run('digits', 'gendd', 0), cfg, 2, cfg, 'mark', str(tmp_path / 'work'))


def test_two_processes_train_a_run(run, teacher):
    told = []
    trained = train_run(run, teacher, lambda *epoch: told.append(epoch))
    assert trained.checkpoint.endswith('epoch_3.pth')
    assert trained.seconds > 0
    assert told == [(0, 3), (1, 3), (1, 3), (2, 3), (2, 3), (3, 3)]
    assert torch.load(trained.checkpoint, weights_only=True)['meta']['iter'] == 9
    # Nothing is left to do.
    assert train_run(run, teacher) == trained


@pytest.mark.slow
def test_two_processes_are_stopped_and_go_on(run, teacher):

    def stop(finished: int, total: int) -> None:
        if finished == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(run, teacher, stop)
    assert not active_children()
    assert train_run(run, teacher).checkpoint.endswith('epoch_3.pth')


def test_more_processes_than_gpus_are_refused(tmp_path, monkeypatch):
    cfg = small_models.shrunk('digits/student_digits.py', tmp_path)
    run = PreparedRun(Run('digits', 'student', 0), cfg, 2, cfg, 'mark', str(tmp_path))
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(ValueError, match='processes=2.*here are 1; set CUDA_VISIBLE_DEVICES='):
        train_run(run)


def test_the_methods_of_the_quick_start_have_equal_budgets():
    recipe = Recipe.read(str(CONFIGS / 'digits' / 'quickstart.yml'))
    runs = prepare_runs(recipe, recipe.runs())
    assert {run.run.setting for run in runs} == set(quickstart.SETTINGS)
    named = {name for names in quickstart.METHODS.values() for name in names}
    assert {run.run.method for run in runs} == {'teacher', *named}
    # One teacher, of the whole data, for all.
    assert len({run.teacher.work_dir for run in runs if run.teacher}) == 1
    for run in runs:
        assert run.processes * run.cfg.train_dataloader.batch_size == 32
        assert run.cfg.train_cfg.max_epochs == 20


def test_the_rivals_on_the_digits_have_equal_budgets():
    recipe = Recipe.read(str(CONFIGS / 'digits' / 'rivals.yml'))
    runs = prepare_runs(recipe, recipe.runs(seeds=[0]))
    assert [run.run.method for run in runs] == ['teacher', 'student', 'kd', 'dkd', 'gendd']
    for run in runs:
        assert run.processes * run.cfg.train_dataloader.batch_size == 32
        assert run.cfg.train_cfg.max_epochs == 20
    # GenDD shows that several processes work.
    assert runs[-1].processes == 2
