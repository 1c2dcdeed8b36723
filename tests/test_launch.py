"""tools/train.py and tools/test.py, and the scripts that start several."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
import small_models
import torch
from mmengine.config import Config

from gendd_mm.engine import launch, options, stages

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / 'tools'

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.], std=[127.], to_rgb=False),
    backbone=dict(type='LeNet5', num_classes=2),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')))
data = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_prefix={data!r},
        pipeline=[
            dict(type='LoadImageFromFile', color_type='grayscale'),
            dict(type='PackInputs')
        ]))
train_dataloader = dict(prefetch_factor=2, **data)
val_dataloader = test_dataloader = data
val_evaluator = test_evaluator = dict(type='Accuracy')
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
randomness = dict(seed=0)
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> str:
    """A config of a tiny run, in a folder whose name has a space."""
    folder = tmp_path_factory.mktemp('a folder')
    rng = np.random.default_rng(0)
    for name in ('0', '1'):
        (folder / 'data' / name).mkdir(parents=True)
        for index in range(4):
            image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            cv2.imwrite(str(folder / 'data' / name / f'{index}.png'), image)
    path = folder / 'toy.py'
    path.write_text(CONFIG.replace('{data!r}', repr(str(folder / 'data'))))
    return str(path)


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(options, 'get_device', lambda: 'cpu')


def parse(tool: str, *arguments: str):
    """Read arguments with the parser of a tool."""
    space = runpy.run_path(str(TOOLS / f'{tool}.py'), run_name=tool)
    with mock.patch.object(sys, 'argv', [f'{tool}.py', *arguments]):
        return space['parse_args']()


def merged(config: str, *more: str) -> Config:
    path, run_options = parse('train', config, *more)
    return options.merge_train(options.read_config(path), run_options)


# Merging.
def test_command_line_wins_over_config_over_name(config):
    assert merged(config).work_dir == os.path.join('work_dirs', 'toy')
    asked = ('--cfg-options', 'work_dir=here')
    assert merged(config, *asked).work_dir == 'here'
    assert merged(config, '--work-dir', 'x y', *asked).work_dir == 'x y'


def test_a_loader_without_workers_is_given_nothing_for_workers(config, no_cuda):
    loader = merged(config).train_dataloader
    assert loader.persistent_workers is False
    assert 'prefetch_factor' not in loader
    assert loader.pin_memory is False
    assert loader.collate_fn == dict(type='default_collate')


def test_a_loader_with_workers_keeps_them(config):
    workers = ('--cfg-options', 'train_dataloader.num_workers=2')
    loader = merged(config, *workers).train_dataloader
    assert loader.persistent_workers is True
    assert loader.prefetch_factor == 2
    loader = merged(config, '--no-persistent-workers', *workers).train_dataloader
    assert loader.persistent_workers is False


def test_memory_is_pinned_where_there_is_cuda(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert merged(config).val_dataloader.pin_memory is True
    assert merged(config, '--no-pin-memory').val_dataloader.pin_memory is False


def test_no_validate_drops_validation(config):
    cfg = merged(config, '--no-validate')
    assert cfg.val_cfg is None
    assert cfg.val_dataloader is None
    assert cfg.val_evaluator is None


def test_resume_from_a_path(config, tmp_path):
    assert merged(config).get('resume', False) is False
    checkpoint = tmp_path / 'a.pth'
    checkpoint.touch()
    cfg = merged(config, '--resume', str(checkpoint))
    assert cfg.resume is True
    assert cfg.load_from == str(checkpoint)


def test_resume_from_a_path_wins_over_load_from(config, tmp_path):
    """The run goes on from the path; the config's checkpoint is never read."""
    first, second = tmp_path / 'first', tmp_path / 'second'
    with small_models.quickly():
        stages.train_stages(*parse('train', config, '--work-dir', str(first)))
        settings = ['load_from=gone.pth', 'train_cfg.max_epochs=2']
        asked = ['--resume', str(first / 'epoch_1.pth'), '--cfg-options', *settings]
        stages.train_stages(*parse('train', config, '--work-dir', str(second), *asked))
    # 4 steps an epoch; of the second run, those of its second epoch.
    assert torch.load(second / 'epoch_2.pth')['meta']['iter'] == 8
    assert not (second / 'epoch_1.pth').exists()


@pytest.mark.parametrize('how', [['--resume'], ['--cfg-options', 'resume=True']])
def test_resume_goes_on_or_begins(config, tmp_path, how):
    """The same command from the first start to the last."""
    asked = ['--work-dir', str(tmp_path), *how]
    cfg = merged(config, *asked)
    assert cfg.resume is False
    assert cfg.get('load_from') is None
    latest = tmp_path / 'epoch_3.pth'
    torch.save(dict(), latest)
    (tmp_path / 'last_checkpoint').write_text(str(latest))
    cfg = merged(config, *asked)
    assert cfg.resume is True
    assert cfg.load_from == str(latest)


def test_resume_without_a_checkpoint_keeps_load_from(config, tmp_path):
    cfg = merged(
        config, '--work-dir', str(tmp_path), '--resume', '--cfg-options', 'load_from=start.pth'
    )
    assert cfg.resume is False
    assert cfg.load_from == 'start.pth'


def test_the_default_changes_nothing_and_a_stage_is_a_number(config):
    assert parse('train', config) == (config, options.RunOptions())
    assert parse('train', config, '--stage', '2') == (config, options.RunOptions(stage=2))
    with pytest.raises(SystemExit):
        parse('train', config, '--stage', '3')


def test_amp_changes_the_wrapper(config, monkeypatch):
    monkeypatch.setattr(options, 'get_device', lambda: 'cuda')
    wrapper = merged(config, '--amp').optim_wrapper
    assert wrapper.type == 'AmpOptimWrapper'
    assert wrapper.loss_scale == 'dynamic'


def test_test_options_reach_the_config(config, tmp_path):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.touch()
    arguments = ['--amp', '--out', 'm.json', '--out-item', 'metrics']
    asked = parse('test', config, str(checkpoint), *arguments)
    assert (asked['out'], asked['out_item']) == ('m.json', 'metrics')
    cfg = options.merge_test(
        options.read_config(asked['config']), asked['checkpoint'], asked['options']
    )
    assert cfg.load_from == str(checkpoint)
    assert cfg.resume is False
    assert cfg.test_cfg.fp16 is True


# Bad input: one clear error before anything is built.
@pytest.mark.parametrize(
    ('more', 'error', 'message'),
    [
        (['--resume', 'gone.pth'], FileNotFoundError, '--resume.*gone.pth'),
        (['--auto-scale-lr'], ValueError, 'base_batch_size'),
        (['--amp'], ValueError, 'cannot train on cpu.*Leave --amp out'),
        (
            ['--amp', '--cfg-options', 'optim_wrapper.type=OptimWrapperDict'],
            ValueError,
            'type=OptimWrapperDict is neither',
        ),
        (['--launcher', 'pytorch'], ValueError, 'RANK.*dist_train.sh'),
        (['--launcher', 'slurm'], ValueError, 'SLURM_PROCID.*slurm_train.sh'),
    ],
)
def test_train_names_what_is_wrong(config, no_cuda, monkeypatch, more, error, message):
    for name in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(error, match=message):
        merged(config, *more)


def test_a_missing_config_is_named():
    with pytest.raises(FileNotFoundError, match='config not found: gone.py'):
        stages.train_stages(*parse('train', 'gone.py'))


@pytest.mark.parametrize(
    ('checkpoint', 'more', 'error', 'message'),
    [
        ('gone.pth', [], FileNotFoundError, 'checkpoint not found: gone.pth'),
        (__file__, ['--out-item', 'pred'], ValueError, 'with --out'),
        (__file__, ['--out', 'a.json'], ValueError, 'a.json.*.pkl'),
        (__file__, ['--cfg-options', 'test_cfg=None'], ValueError, 'no test_cfg'),
    ],
)
def test_test_names_what_is_wrong(config, checkpoint, more, error, message):
    with pytest.raises(error, match=message):
        launch.run_test(**parse('test', config, checkpoint, *more))


# The scripts.
def run(script: str, *arguments: str, **settings) -> subprocess.CompletedProcess:
    return subprocess.run(
        ['bash', str(TOOLS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        **settings,
    )


def environment(**settings: str) -> dict:
    """This environment, with this Python, outside of any launcher."""
    unset = {'NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT', 'PYTHONPATH'}
    kept = {k: v for k, v in os.environ.items() if k not in unset}
    return {**kept, 'PYTHON': sys.executable, **settings}


@pytest.fixture
def recorder(tmp_path) -> Path:
    """A stand-in for a program: it prints its arguments as JSON."""
    path = tmp_path / 'recorder'
    path.write_text(f'#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n')
    path.chmod(0o755)
    return path


ARGUMENTS = ['--work-dir', 'a b', '--cfg-options', 'x=[1, 2]', 'y="*"']


def test_dist_train_passes_arguments_as_they_are(recorder, tmp_path):
    done = run(
        'dist_train.sh',
        'my config.py',
        '2',
        *ARGUMENTS,
        cwd=tmp_path,
        env=environment(PYTHON=str(recorder)),
    )
    arguments = json.loads(done.stdout)
    assert arguments[:4] == ['-m', 'torch.distributed.run', '--nnodes=1', '--nproc-per-node=2']
    start = arguments.index(str(TOOLS / 'train.py'))
    assert arguments[start + 1 :] == ['my config.py', *ARGUMENTS, '--launcher', 'pytorch']
    # Port 0 is whichever is free: two runs on a machine do not clash.
    assert '--rdzv-endpoint=127.0.0.1:0' in arguments[:start]


def test_dist_test_honours_the_variables_of_several_nodes(recorder):
    env = environment(
        PYTHON=str(recorder), NNODES='3', NODE_RANK='2', MASTER_ADDR='10.0.0.1', PORT='1234'
    )
    done = run('dist_test.sh', 'c.py', 'a b.pth', '8', *ARGUMENTS, env=env)
    arguments = json.loads(done.stdout)
    assert arguments == [
        '-m',
        'torch.distributed.run',
        '--nnodes=3',
        '--nproc-per-node=8',
        '--node-rank=2',
        '--master-addr=10.0.0.1',
        '--master-port=1234',
        str(TOOLS / 'test.py'),
        'c.py',
        'a b.pth',
        *ARGUMENTS,
        '--launcher',
        'pytorch',
    ]


def test_a_port_is_honoured_on_one_node(recorder):
    env = environment(PYTHON=str(recorder), PORT='1234')
    done = run('dist_train.sh', 'c.py', '2', env=env)
    assert '--master-port=1234' in json.loads(done.stdout)


@pytest.mark.parametrize(
    ('script', 'before', 'tool', 'after'),
    [
        ('slurm_train.sh', ['c.py', 'my dir'], 'train.py', ['c.py', '--work-dir', 'my dir']),
        ('slurm_test.sh', ['c.py', 'a b.pth'], 'test.py', ['c.py', 'a b.pth']),
    ],
)
def test_slurm_scripts_ask_for_what_they_are_told(recorder, script, before, tool, after):
    recorder.rename(recorder.with_name('srun'))
    env = environment(
        PATH=f'{recorder.parent}:{os.environ["PATH"]}',
        GPUS='4',
        GPUS_PER_NODE='2',
        SRUN_ARGS='--time=1:00 --exclusive',
    )
    done = run(script, 'part', 'job', *before, *ARGUMENTS, env=env)
    assert json.loads(done.stdout) == [
        '-p',
        'part',
        '--job-name=job',
        '--gres=gpu:2',
        '--ntasks=4',
        '--ntasks-per-node=2',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--time=1:00',
        '--exclusive',
        sys.executable,
        '-u',
        str(TOOLS / tool),
        *after,
        *ARGUMENTS,
        '--launcher',
        'slurm',
    ]


@pytest.mark.parametrize(
    ('script', 'arguments', 'message'),
    [
        ('dist_train.sh', ['c.py'], 'Usage'),
        ('dist_test.sh', ['c.py', 'a.pth'], 'Usage'),
        ('slurm_train.sh', ['part', 'job', 'c.py'], 'Usage'),
        ('slurm_test.sh', ['part', 'job', 'c.py'], 'Usage'),
        ('dist_train.sh', ['c.py', 'two'], 'NPROC=two is not a number'),
        ('dist_train.sh', ['c.py', '0'], 'NPROC=0'),
        ('setup_env.sh', ['--nowhere'], 'unknown option --nowhere'),
        ('setup_env.sh', ['--stack', 'tf'], 'choose mm or onedl'),
        ('setup_env.sh', ['--env'], '--env needs a value'),
        ('run_tests.sh', ['--env'], '--env needs a value'),
    ],
)
def test_scripts_name_what_is_wrong(script, arguments, message):
    done = run(script, *arguments, env=environment())
    assert done.returncode != 0
    assert message in done.stderr


def test_setup_env_refuses_a_folder_that_is_something_else(tmp_path):
    (tmp_path / 'precious').touch()
    done = run('setup_env.sh', '--env', str(tmp_path), env=environment())
    assert done.returncode != 0
    assert 'no virtual environment' in done.stderr
    assert (tmp_path / 'precious').exists()


def test_setup_env_names_a_python_that_does_not_do(tmp_path):
    env = environment(PYTHON='no_such_python')
    done = run('setup_env.sh', '--env', str(tmp_path / 'env'), env=env)
    assert done.returncode != 0
    assert 'PYTHON=no_such_python' in done.stderr
    assert not (tmp_path / 'env').exists()


def test_two_processes_train_and_test_without_cuda(config, tmp_path):
    work_dir = tmp_path / 'my work'
    env = environment(CUDA_VISIBLE_DEVICES='')
    done = run('dist_train.sh', config, '2', '--work-dir', str(work_dir), cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    log = done.stdout + done.stderr
    assert 'Distributed training: True' in log
    # 8 images, 2 at a time on each of 2 processes: 2 steps.
    assert re.search(r'Epoch\(val\) \[1\]\[2/2\] +accuracy/top1', log)
    checkpoint = work_dir / 'epoch_1.pth'
    assert all(not key.startswith('module.') for key in torch.load(checkpoint)['state_dict'])

    out = tmp_path / 'metrics.json'
    done = run(
        'dist_test.sh',
        config,
        str(checkpoint),
        '2',
        '--work-dir',
        str(work_dir),
        '--out',
        str(out),
        '--out-item',
        'metrics',
        cwd=tmp_path,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    accuracy = json.loads(out.read_text())['accuracy/top1']
    assert f'accuracy/top1: {accuracy:.4f}' in log
