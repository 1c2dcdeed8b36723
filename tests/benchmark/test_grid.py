"""A grid of a few hundred images: stopped, gone on with, and reported."""

import importlib.util
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import small_models
import synthetic_fashion_mnist
import torch
import yaml
from small_models import CONFIGS

from gendd_mm.benchmark import (
    Method,
    PreparedRun,
    Recipe,
    grid,
    latest_records,
    read_records,
    run_grid,
)
from gendd_mm.benchmark.progress import GridProgress
from gendd_mm.generative.cost import multiply_adds

FOLDER = CONFIGS / 'fashion_mnist'
SMALL = """
_base_ = ['{base}']
epochs = 2
train_cfg = dict(max_epochs=epochs)
train_dataloader = dict(
    batch_size=32, dataset=dict({subset}dataset=dict(data_root='{data}')))
test_dataloader = dict(dataset=dict(data_root='{data}'))
default_hooks = dict(checkpoint=dict(interval=1))
"""
# Of the teacher, which is trained on the whole set.
WHOLE = SMALL.replace("dict({subset}dataset=dict(data_root='{data}'))", "dict(data_root='{data}')")


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    data = synthetic_fashion_mnist.write(tmp_path / 'data', train=300, test=100)

    def small(base: Path, text: str = SMALL, subset: str = 'most=20, ') -> str:
        path = tmp_path / base.name
        path.write_text(text.format(base=base, data=data, subset=subset))
        return path.name

    methods = {'student': 'student.py', 'gendd': 'gendd.py'}
    content = dict(
        seeds=[0],
        work_dir=str(tmp_path / 'work'),
        results=str(tmp_path / 'results' / 'results.jsonl'),
        settings=dict(
            supervised=dict(
                teacher=small(FOLDER / 'teacher.py', WHOLE),
                refit=small(FOLDER / 'kd.py'),
                methods={name: small(FOLDER / config) for name, config in methods.items()},
            )
        ),
        sweeps=dict(
            draws=dict(
                setting='supervised',
                method='gendd',
                retrain=False,
                option='model.test_num_draws',
                values=[1],
            )
        ),
    )
    (tmp_path / 'recipe.yml').write_text(yaml.safe_dump(content, sort_keys=False))
    return Recipe.read(str(tmp_path / 'recipe.yml'))


@pytest.fixture
def epochs(monkeypatch) -> list:
    """What training tells: run and finished epochs; may stop a run."""
    told = []
    original = GridProgress.epoch

    def epoch(self, finished: int, total: int) -> None:
        original(self, finished, total)
        told.append((self.run.method, finished))
        if told[-2:] == told.stop:
            raise KeyboardInterrupt

    class Told(list):
        stop = None

    told = Told()
    monkeypatch.setattr(GridProgress, 'epoch', epoch)
    return told


def test_a_stopped_grid_goes_on_where_it_was(recipe, epochs):
    # Told at the end of the first epoch and before the second: it is saved.
    epochs.stop = [('gendd', 1), ('gendd', 1)]
    with small_models.quickly(), pytest.raises(KeyboardInterrupt):
        run_grid(recipe)
    records = read_records(recipe.results)
    assert [record['method'] for record in records] == ['teacher', 'student']

    epochs.stop = None
    del epochs[:]
    with small_models.quickly():
        new = run_grid(recipe)
    assert epochs == [('gendd', 1), ('gendd', 2)]  # and no other trained
    assert read_records(recipe.results) == records + new
    student, (gendd, draws) = records[1], new
    assert (gendd['method'], draws['sweep']) == ('gendd', 'draws')

    for record in (*records, gendd):
        assert record['seconds'] > 0
        assert record['commit']
        assert all(0 <= record[f'{name}_top1'] <= 100 for name in ('probe', 'refit', 'shipped'))
    assert student['gen_top1'] is None
    assert student['gmacs'] == student['student_gmacs']
    # The exported student is the probe.
    assert gendd['shipped_top1'] == pytest.approx(gendd['probe_top1'])
    # One draw of the same checkpoint, instead of two.
    assert draws['refit_top1'] == gendd['refit_top1']
    assert student['gmacs'] < draws['gmacs'] < gendd['gmacs']

    with small_models.quickly():
        assert run_grid(recipe) == []  # all is done
    assert len(read_records(recipe.results)) == 4


def record_of(run: PreparedRun) -> dict:
    """A record as if the run had been trained."""
    fields = run.run._asdict()
    del fields['retrain']
    return dict(
        fields,
        fingerprint=run.fingerprint,
        seconds=1,
        measure_seconds=1,
        **{f'{name}_top1': None for name in ('gen', 'probe', 'refit', 'shipped')},
    )


def test_only_what_was_changed_runs_again(recipe, tmp_path, monkeypatch):
    ran = []

    def run_one(run, on_epoch) -> dict:
        ran.append(run.run.method)
        return record_of(run)

    monkeypatch.setattr(grid, 'run_one', run_one)
    run_grid(recipe, seeds=[0, 1])
    assert ran == ['teacher', 'student', 'gendd', 'student', 'gendd', 'gendd', 'gendd']
    del ran[:]
    run_grid(recipe, seeds=[2], only=['supervised'])
    assert ran == ['student', 'gendd', 'gendd']
    del ran[:]
    config = tmp_path / 'student.py'
    (tmp_path / 'other.py').write_text(
        config.read_text() + 'optim_wrapper = dict(optimizer=dict(lr=1.))\n'
    )
    recipe.settings['supervised'].methods['student'] = Method(str(tmp_path / 'other.py'))
    run_grid(recipe, seeds=[0])
    assert ran == ['student']


def test_processes_share_a_grid(recipe, monkeypatch):
    """Each run once, and each process does some."""

    def run_one(run, on_epoch) -> dict:
        time.sleep(0.1)
        return dict(record_of(run), process=os.getpid())

    monkeypatch.setattr(grid, 'run_one', run_one)
    monkeypatch.setattr(grid, 'PAUSE_SECONDS', 0.02)
    context = multiprocessing.get_context('fork')
    seeds = [0, 1, 2]
    processes = [context.Process(target=run_grid, args=(recipe, None, seeds)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    records = read_records(recipe.results)
    assert len(records) == len(recipe.runs(seeds=seeds))
    assert len(latest_records(records)) == len(records)
    assert {record['process'] for record in records} == {process.pid for process in processes}


def test_the_tool_runs_a_grid_in_two_processes(recipe, tmp_path):
    results = tmp_path / 'anew' / 'results.jsonl'
    done = subprocess.run(
        [
            sys.executable,
            'tools/benchmark.py',
            str(tmp_path / 'recipe.yml'),
            '--no-report',
            '--results',
            str(results),
        ],
        cwd=CONFIGS.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    records = latest_records(read_records(results))
    assert [record['method'] for record in records].count('gendd') == 2
    # The teacher, the student, GenDD and one value of its sweep, each once.
    assert len(read_records(results)) == len(records) == 4
    # Anew: without the lines and the checkpoints of the recipe's own places.
    assert not Path(recipe.results).exists()
    assert not Path(recipe.work_dir).exists()
    assert done.stdout.count('teacher/seed0') >= 1


def test_a_worker_that_was_killed_is_no_success(recipe, monkeypatch):
    tools = CONFIGS.parent / 'tools'
    monkeypatch.syspath_prepend(str(tools))  # as for a script that is run
    spec = importlib.util.spec_from_file_location('benchmark_tool', tools / 'benchmark.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    # The teachers in this process, then two workers.
    here, codes = [], iter([0, -9])
    monkeypatch.setattr(tool, 'run_grid', lambda *args: here.append(args[-1]))
    monkeypatch.setattr(
        subprocess, 'Popen', lambda *args, **kwargs: SimpleNamespace(wait=lambda: next(codes))
    )
    args = SimpleNamespace(jobs=2, only=None, seeds=None, methods=None)
    with pytest.raises(RuntimeError, match=r'\[0, -9\]'):
        tool.run(args, recipe)
    assert here == [['teacher']]


def test_the_cost_of_a_convolution_is_known():
    layer, images = torch.nn.Conv2d(2, 5, 3), torch.zeros(7, 2, 6, 6)
    # 7 images, 4 x 4 places, 3 x 3 x 2 weights, 5 channels.
    assert multiply_adds(lambda: layer(images)) == 7 * 1440
