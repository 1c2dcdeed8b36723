"""A run from a store is the run of the live teacher on the same views."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import stored_runs
import torch
from mmengine.config import Config
from small_models import CONFIGS, ROOT
from stored_runs import build, config, same, trained

from gendd_mm.analysis.pair_report import inspect_pair
from gendd_mm.engine.options import RunOptions, merge_test, merge_train, read_run
from gendd_mm.engine.stages import read_stage1
from gendd_mm.models import StoredTeacher
from gendd_mm.teacher_store import StoreError, TeacherStore, read_description


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('stored')


@pytest.fixture(scope='module')
def store(folder) -> Path:
    """A store of GenDD on the digits, without mixing."""
    build(config(folder), folder / 'store')
    return folder / 'store'


@pytest.mark.parametrize(
    ('name', 'mixed'),
    [
        ('gendd_digits.py', True),
        ('digits/gendd_digits_unsupervised.py', False),
        ('digits/regression_digits.py', False),
        ('digits/kd_digits.py', True),
        ('digits/dkd_digits.py', False),
        ('digits/lskd_digits.py', False),
    ],
)
def test_weights_are_those_of_the_live_run(tmp_path, name, mixed):
    path = config(tmp_path, name, mixed)
    build(path, tmp_path / 'store')
    live = trained(path, tmp_path / 'live')
    shutil.move(tmp_path / 'store', tmp_path / 'moved')
    (tmp_path / 'teacher.pth').unlink()  # nothing of the teacher is needed
    assert same(live, trained(path, tmp_path / 'from_store', tmp_path / 'moved'))


def test_simkd_learns_what_enters_the_classifier(tmp_path):
    recorder = dict(_delete_=True, type='mmrazor.ModuleInputs', source='head.fc')
    pooled = {
        'model.type': 'mmrazor.SingleTeacherDistill',
        'model.distiller.teacher_recorders.feat': recorder,
    }
    name = 'digits/simkd_linear_digits.py'
    live = trained(config(tmp_path, name), tmp_path / 'live')
    path = config(tmp_path, name, **pooled)
    build(path, tmp_path / 'store')
    assert same(live, trained(path, tmp_path / 'from_store', tmp_path / 'store'))


def test_a_teacher_without_a_classifier_is_stored_with_what_evaluation_reads(tmp_path):
    path = config(tmp_path)
    cfg = Config.fromfile(path)
    cfg.model.update(teacher_classifier=None)
    cfg.model.architecture.head = dict(type='gendd_mm.NoHead')
    cfg.model.distiller.distill_losses.loss_gendd.contraction = None
    cfg.model.distiller.student_recorders.pop('labels')
    cfg.model.distiller.loss_forward_mappings.loss_gendd.pop('labels')
    network = cfg.model.teacher.to_dict()
    network.pop('head')
    cfg.model.teacher = network
    cfg.val_evaluator = cfg.test_evaluator = dict(type='gendd_mm.FeatureQuality')
    cfg.dump(path)
    builder = build(path, tmp_path / 'store')
    assert {name: part.num_views for name, part in builder.description.parts.items()} == dict(
        train=3, val=1
    )
    found = []
    for name, store in (('live', None), ('from_store', tmp_path / 'store')):
        weights = trained(path, tmp_path / name, store)
        (log,) = (tmp_path / name).glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        (metrics,) = [line for line in lines if any('cosine' in key for key in line)]
        found.append((weights, {key: metrics[key] for key in metrics if 'time' not in key}))
    assert same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_stage_1_takes_the_classifier_of_the_store(folder, store, tmp_path):
    path = config(folder, 'digits/gendd_digits_two_stages.py')
    source = Config.fromfile(CONFIGS / 'digits' / 'gendd_digits_two_stages.py').stage1.config
    cfg = Config.fromfile(path)
    cfg.stage1 = dict(config=str(source))
    cfg.dump(path)
    (folder / 'teacher.pth').rename(tmp_path / 'away.pth')
    try:
        options = RunOptions(work_dir=str(tmp_path / 'run'), teacher_store=str(store))
        second = merge_train(Config.fromfile(path), options)
        first = read_stage1(second, options)
        head = stored_runs.small_models.MODELS.build(dict(first.model.head, _scope_='mmpretrain'))
    finally:
        (tmp_path / 'away.pth').rename(folder / 'teacher.pth')
    weight, bias = TeacherStore(str(store)).classifier()
    assert head.classifier.weight.equal(weight)
    assert head.classifier.bias.equal(bias)


def test_no_network_of_the_teacher_is_built(folder, store):
    cfg = merge_train(
        Config.fromfile(config(folder)), RunOptions(str(folder / 'w'), teacher_store=str(store))
    )
    model = stored_runs.small_models.runner_of(cfg).model
    teacher = model.teacher.model
    assert isinstance(teacher, StoredTeacher)
    assert {name for name, _ in teacher.named_parameters()} == {'head.fc.weight', 'head.fc.bias'}
    with pytest.raises(StoreError, match='for others the teacher must run: take its own config'):
        model.teacher.extract_feat(next(iter(model.parameters())).new_zeros(2, 3, 8, 8))


def test_the_config_alone_can_name_the_store(folder, store):
    path = folder / 'named.py'
    path.write_text(
        f'_base_ = [{config(folder)!r}]\n'
        f"model = dict(teacher=dict(_delete_=True, type='gendd_mm.StoredTeacher', "
        f'store={str(store)!r}))\n'
    )
    first = trained(str(path), folder / 'named', **{'views': None})
    assert same(first, trained(config(folder), folder / 'given', store))
    # The config that a run has written down trains again.
    dumped = Config.fromfile(next((folder / 'named').glob('*.py')))
    assert dumped.train_dataloader.dataset.type == 'gendd_mm.AugmentedViews'
    assert same(first, trained(dumped.filename, folder / 'again', **{'views': None}))
    checkpoint = str(folder / 'named' / 'epoch_3.pth')
    cfg = merge_test(dumped, checkpoint, RunOptions(work_dir=str(folder / 'tested')))
    runner = stored_runs.small_models.runner_of(cfg)
    with stored_runs.small_models.quickly():
        assert 'gen/top1' in runner.test()


def test_fewer_views_than_stored(folder, store):
    path = config(folder)
    few = trained(path, folder / 'few', store, **{'views': dict(num_views=1)})
    assert not same(few, trained(path, folder / 'all', store))


def test_views_are_added_to_a_store(folder, tmp_path):
    path = config(folder)
    build(path, tmp_path / 'grown', num_views=2)
    build(path, tmp_path / 'grown', num_views=3)
    build(path, tmp_path / 'grown', num_views=1)  # it has more, which does no harm
    build(path, tmp_path / 'whole', num_views=3)
    assert contents(tmp_path / 'grown') == contents(tmp_path / 'whole')


def contents(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob('*'))
        if path.is_file() and path.parent.name != '.locks'
    }


@pytest.mark.fault('Stores', 'a shard is lost or damaged, and the tool is run again', 'mended')
def test_lost_and_damaged_shards_are_built_anew(folder, store, tmp_path):
    before = contents(store)
    shutil.copytree(store, tmp_path / 'copy')
    shards = sorted((tmp_path / 'copy' / 'train').rglob('*.safetensors'))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-1] + b'x')
    shards[2].write_bytes(b'')
    builder = build(config(folder), tmp_path / 'copy', num_views=None)
    assert contents(tmp_path / 'copy') == before
    assert builder.verify(lambda rows: None) == []


# What does not fit.
RUNS = {
    'other images': (
        {'train_dataloader.dataset.indices': list(range(1, 25))},
        'is of other train images than this dataset',
    ),
    'other number of images': ({'train_dataloader.dataset.indices': 20}, 'is of 24 train images'),
    'other pipeline': (
        {'train_dataloader.dataset.pipeline.0.padding': 2},
        r'is of another pipeline: it has .*"padding": 1.*, this config .*"padding": 2',
    ),
    'other image size': (
        {'train_dataloader.dataset.pipeline.0.crop_size': 6},
        'is of another pipeline',
    ),
    'mixing': (
        {'model.architecture.train_cfg': stored_runs.MIXING},
        'is of another mixing: it has nothing more, this config .*Mixup',
    ),
    'more views': ({'views': dict(num_views=9)}, 'has 3 of seed=0; .* with --views 9'),
    'other seed': ({'views': dict(num_views=3, seed=1)}, 'has 3 of seed=0'),
    'other classes': (
        {'model.architecture.head.num_classes': 7},
        "num_classes=7 does not fit the teacher's number of classes, 10",
    ),
}


@pytest.mark.fault('Stores', 'the run has other images, views or classes', 'error')
@pytest.mark.parametrize('case', RUNS)
def test_a_run_of_something_else_is_refused(folder, store, case, tmp_path):
    options, message = RUNS[case]
    with pytest.raises(ValueError, match=message):
        trained(config(folder), tmp_path, store, **options)


def test_changed_pixels_are_refused(folder, store, tmp_path, monkeypatch):
    from gendd_mm.datasets import DigitsDataset

    load = DigitsDataset.load_data_list

    def inverted(self):
        return [dict(info, img=255 - info['img']) for info in load(self)]

    monkeypatch.setattr(DigitsDataset, 'load_data_list', inverted)
    monkeypatch.setattr('gendd_mm.datasets.store_fit.image_list_hash', lambda views: hash_of(store))
    with pytest.raises(
        StoreError, match=r'view 0 of image 0 has other pixels here, by \d+\.\d lev'
    ):
        trained(config(folder), tmp_path, store)


def hash_of(store: Path) -> str:
    return read_description(str(store)).parts['train'].images


def test_a_recorder_of_what_is_not_stored_is_refused(folder, store):
    path = config(folder, 'digits/simkd_digits.py')
    with pytest.raises(StoreError, match=r"source='backbone' is not in store=.* or take the teach"):
        trained(path, folder / 'maps', store)
    with pytest.raises(StoreError, match='trains without a teacher; leave it out'):
        trained(config(folder, 'digits/student_digits.py'), folder / 'none', store)


STORES = {
    'teacher': (dict(teacher=True), {}, "teacher: '"),
    'pipeline': ({}, {'train_dataloader.dataset.pipeline.0.padding': 2}, 'train.pipeline'),
    'images': ({}, {'train_dataloader.dataset.indices': 20}, 'train.num_images: 24 there, 20 here'),
    'seed': (dict(seed=1), {}, 'train.seed: 0 there, 1 here'),
    'precision': ({}, {'model.teacher_dtype': 'bfloat16'}, "precision: 'float32' there"),
    'type': (dict(dtype='float16'), {}, "dtype: 'float32' there, 'float16' here"),
    'shards': (dict(rows_per_shard=5), {}, 'rows_per_shard: 10 there'),
}


@pytest.mark.fault('Stores', 'the store to go on with is of something else', 'error')
@pytest.mark.parametrize('case', STORES)
def test_a_store_of_something_else_is_not_gone_on_with(folder, store, case, tmp_path):
    settings, options, message = STORES[case]
    settings, path, before = dict(settings), config(folder), contents(store)
    if settings.pop('teacher', False):
        other = torch.load(folder / 'teacher.pth')
        other['state_dict']['head.fc.bias'] += 1
        torch.save(other, tmp_path / 'other.pth')
        options = {'model.teacher_ckpt': str(tmp_path / 'other.pth')}
    with pytest.raises(StoreError, match=f'is of something else: .*{re.escape(message)}'):
        build(path, store, cfg_options=options, **settings)
    assert contents(store) == before


def test_what_cannot_become_a_store(folder, store, tmp_path, monkeypatch):
    path = config(folder)
    with pytest.raises(StoreError, match='the number of views is not stated; set --views'):
        build(path, tmp_path / 'new', num_views=None)
    (tmp_path / 'holiday.jpg').touch()
    with pytest.raises(StoreError, match=r'is not empty \(holiday.jpg\) and no store'):
        build(path, tmp_path)
    with pytest.raises(StoreError, match="dtype='int8' is unknown"):
        build(path, tmp_path / 'new', dtype='int8')
    stored = dict(_delete_=True, type='gendd_mm.StoredTeacher', store=str(store))
    with pytest.raises(StoreError, match='trains from a store; give the config of its teacher'):
        build(path, tmp_path / 'new', cfg_options={'model.teacher': stored})
    (tmp_path / 'file').touch()
    with pytest.raises(StoreError, match='cannot be written to'):
        build(path, tmp_path / 'file' / 'new')
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=9))
    with pytest.raises(StoreError, match=r'GB more, but 0.0 GB are free on its disk'):
        build(path, tmp_path / 'new')


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_a_gpu_builds_the_same_features_up_to_rounding(folder, store, tmp_path):
    build(config(folder), tmp_path / 'gpu', device='cuda')
    theirs, ours = TeacherStore(str(tmp_path / 'gpu')), TeacherStore(str(store))
    for image in range(24):
        first, second = (each.features('train', image, 1)['target'] for each in (theirs, ours))
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    assert trained(config(folder), tmp_path / 'run', tmp_path / 'gpu')


def test_a_pair_with_a_store_is_described(folder, store):
    cfg = read_run(config(folder))
    cfg.model.teacher = dict(type='gendd_mm.StoredTeacher', store=str(store))
    from gendd_mm.engine.views import expand_views

    expand_views(cfg)
    rows = dict(inspect_pair(cfg, 4))
    assert 'ImageClassifier in float32, of 24 images in 3 views' in rows['teacher']


def test_the_tool_says_size_and_progress(folder, tmp_path):
    path = config(folder)
    done = tool(path, tmp_path / 'store', '--views', '2', '--dtype', 'float16')
    assert done.returncode == 0, done.stderr
    assert '24 train images x 2 views x 256 numbers of float16: 2.46e-05 GB' in done.stdout
    assert f'python tools/train.py {path} --teacher-store' in done.stdout
    damaged = tmp_path / 'store' / 'train' / 'view_001' / '00000.safetensors'
    damaged.write_bytes(damaged.read_bytes()[:-1] + b'x')
    checked = tool(path, tmp_path / 'store', '--verify')
    assert checked.returncode == 1
    assert 'its checksum is wrong' in checked.stderr
    refused = tool(path, tmp_path / 'store', '--views', '2', '--seed', '4')
    assert refused.returncode == 1
    assert refused.stderr.startswith('error: store=')
    assert len(refused.stderr.strip().splitlines()) == 1


def tool(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / 'tools' / 'store_teacher.py', *map(str, arguments)],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        cwd=CONFIGS.parent,
    )


# Longer ones.
def processes(path: str, store: Path, seed: int) -> None:
    """Two processes build a store; both are killed at random places, ten times."""
    import random

    places, built = random.Random(seed), 0
    command = [sys.executable, ROOT / 'tools' / 'store_teacher.py', path, store]
    command += ['--views', '3', '--dtype', 'float32', '--rows-per-shard', '4', '--num-workers', '0']
    while built < 10:
        both = [
            subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, PYTHONPATH=str(ROOT), RANK=str(rank), WORLD_SIZE='2'),
                start_new_session=True,
            )
            for rank in range(2)
        ]
        # From the moment that a shard is there or the store is begun.
        deadline = time.time() + 60
        begun = len(list(store.rglob('*'))) if store.exists() else 0
        while time.time() < deadline and (
            not store.exists() or len(list(store.rglob('*'))) <= begun
        ):
            if all(each.poll() is not None for each in both):
                return
            time.sleep(0.005)
        time.sleep(places.uniform(0, 0.05))
        for each in both:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
        built += 1


@pytest.mark.slow
@pytest.mark.fault('Stores', 'its two processes are killed ten times', 'same bytes')
def test_killed_ten_times_it_is_the_store_of_one_go(tmp_path):
    path = config(tmp_path, mixed=True, **{'train_dataloader.dataset.indices': 120})
    build(path, tmp_path / 'one_go', rows_per_shard=4)
    processes(path, tmp_path / 'killed', seed=0)
    # One of two is killed, and the other ends.
    first, second = (
        subprocess.Popen(
            [
                *(sys.executable, str(ROOT / 'tools' / 'store_teacher.py')),
                *(path, str(tmp_path / 'killed')),
                *['--views', '3', '--dtype', 'float32', '--rows-per-shard', '4'],
            ],
            env=dict(os.environ, PYTHONPATH=str(ROOT), RANK=str(rank), WORLD_SIZE='2'),
            stdout=subprocess.DEVNULL,
        )
        for rank in range(2)
    )
    time.sleep(4)
    first.kill()
    assert second.wait(timeout=120) == 0
    assert contents(tmp_path / 'killed') == contents(tmp_path / 'one_go')
    assert not (tmp_path / 'killed' / '.locks').exists()


@pytest.mark.slow
@pytest.mark.parametrize('num_processes', [1, 2])
def test_killed_and_resumed_it_is_the_live_run(tmp_path, num_processes):
    settings = {
        'train_dataloader.batch_size': 8 // num_processes,
        'default_hooks.checkpoint.interval': 1,
    }
    path = config(tmp_path, mixed=True, **settings)
    build(path, tmp_path / 'store')

    def run(work_dir: str, *more: str, kill_at: str | None = None) -> None:
        script = ['python', 'tools/train.py', path]
        if num_processes == 2:
            script = ['bash', 'tools/dist_train.sh', path, '2']
        environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
        environment['PYTHON'] = sys.executable
        environment['PATH'] = f'{Path(sys.executable).parent}:{environment["PATH"]}'
        process = subprocess.Popen(
            [*script, '--work-dir', str(tmp_path / work_dir), *more],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        while kill_at is not None and not (tmp_path / work_dir / kill_at).exists():
            assert process.poll() is None
            time.sleep(0.01)
        if kill_at is not None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == (0 if kill_at is None else -signal.SIGKILL)

    run('live', '--cfg-options', 'views.num_views=3')
    stored = ('--teacher-store', str(tmp_path / 'store'))
    run('stored', *stored, kill_at='last_checkpoint')
    assert not (tmp_path / 'stored' / 'epoch_3.pth').exists()
    run('stored', *stored, '--resume')
    weights = [
        torch.load(tmp_path / name / 'epoch_3.pth', weights_only=False)['state_dict']
        for name in ('live', 'stored')
    ]
    assert same(*weights)
