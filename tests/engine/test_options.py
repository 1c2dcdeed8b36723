"""Options of tools/train.py and tools/test.py, from the command line to the config."""

import importlib
import os
import sys
from unittest import mock

import pytest
import small_models
import torch
import toy_run
from mmengine.config import Config
from mmengine.logging import MMLogger

from gendd_mm.annotations import AnnotationError
from gendd_mm.engine import launch, options, resume, stages


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> str:
    """A config of a tiny run, in a folder whose name has a space."""
    return toy_run.write(tmp_path_factory.mktemp('a folder'))


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(options, 'get_device', lambda: 'cpu')


def parse(tool: str, *arguments: str):
    """Read arguments as a command does."""
    command = importlib.import_module(f'gendd_commands.{tool}')
    with mock.patch.object(sys, 'argv', [f'{tool}.py', *arguments]):
        own, given = command.parse_args()
    run_options = options.RunOptions(**given)
    return dict(own, options=run_options) if tool == 'test' else (own, run_options)


def merged(config: str, *more: str) -> Config:
    path, run_options = parse('train', config, *more)
    cfg = options.merge_train(options.read_config(path), run_options)
    resume.resume_from(cfg, run_options.resume)
    return cfg


def test_choices_are_read_in_silence_and_leave_no_trace(tmp_path, monkeypatch):
    path = tmp_path / 'chosen.py'
    path.write_text("value = '{{$CHOSEN:one}}'\n")
    logger, seen = MMLogger.get_current_instance(), []
    monkeypatch.setattr(logger, 'callHandlers', lambda line: seen.append(line.getMessage()))
    logger.info('before')
    assert options.read_config(str(path), dict(CHOSEN='two')).value == 'two'
    logger.info('after')
    assert seen == ['before', 'after']
    assert 'CHOSEN' not in os.environ
    assert options.read_config(str(path)).value == 'one'


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_annotation_files_are_read_before_anything_is_built(split, config, tmp_path):
    (tmp_path / 'a.txt').write_text('0/0.png 0\n0/1.png dog\n')
    more = ('--cfg-options', f'{split}_dataloader.dataset.ann_file={tmp_path}/a.txt')
    if split == 'test':
        merged(config, *more)  # a training does not read it
        _, run_options = parse('train', config, *more)
        with pytest.raises(AnnotationError, match='a.txt, line 2'):
            options.merge_test(options.read_config(config), 'none.pth', run_options)
        return
    with pytest.raises(AnnotationError, match='a.txt, line 2'):
        merged(config, *more)
    if split == 'val':
        merged(config, '--no-validate', *more)


def save_whole(path) -> None:
    group = dict(lr=1.0, params=[0])
    torch.save(
        dict(
            meta=dict(epoch=3, iter=12),
            state_dict=dict(weight=torch.ones(1)),
            message_hub={},
            optimizer=dict(state={}, param_groups=[group]),
        ),
        path,
    )


# What they change in the config.
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
    # MMEngine's logger looks for the device that it would name.
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert merged(config).val_dataloader.pin_memory is True
    assert merged(config, '--no-pin-memory').val_dataloader.pin_memory is False


def test_settings_by_parameter_bring_the_constructor_that_groups_them(config):
    assert 'constructor' not in merged(config).optim_wrapper
    keys = ('--cfg-options', 'optim_wrapper.paramwise_cfg.norm_decay_mult=0.0')
    cfg = merged(config, *keys)
    assert cfg.optim_wrapper.constructor == 'gendd_mm.GroupedOptimWrapperConstructor'


def test_no_validate_drops_validation(config):
    cfg = merged(config, '--no-validate')
    assert cfg.val_cfg is None
    assert cfg.val_dataloader is None
    assert cfg.val_evaluator is None


def test_resume_from_a_path(config, tmp_path):
    assert merged(config).get('resume', False) is False
    checkpoint = tmp_path / 'a.pth'
    save_whole(checkpoint)
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
    save_whole(latest)
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
    save_whole(checkpoint)
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
        (['--resume', 'gone.pth'], FileNotFoundError, 'gone.pth.*does not exist'),
        (['--auto-scale-lr'], ValueError, 'base_batch_size'),
        (['--amp'], ValueError, 'cannot train on cpu.*Leave --amp out'),
        (
            ['--amp', '--cfg-options', 'optim_wrapper.type=ApexOptimWrapper'],
            ValueError,
            'type=ApexOptimWrapper is neither',
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
        ('gone.pth', [], FileNotFoundError, 'gone.pth.*does not exist'),
        (__file__, ['--out-item', 'pred'], ValueError, 'with --out'),
        (__file__, ['--out', 'a.json'], ValueError, 'a.json.*.pkl'),
        (__file__, ['--cfg-options', 'test_cfg=None'], ValueError, 'no test_cfg'),
    ],
)
def test_test_names_what_is_wrong(config, checkpoint, more, error, message):
    with pytest.raises(error, match=message):
        launch.run_test(**parse('test', config, checkpoint, *more))


def test_tensorboard_comes_beside_the_json_log(config, monkeypatch):
    pytest.importorskip('tensorboard')
    backends = ['LocalVisBackend', 'TensorboardVisBackend']
    cfg = merged(config, '--tensorboard')
    assert [each['type'] for each in cfg.visualizer.vis_backends] == backends
    # One is enough.
    again = options.merge_train(cfg, options.RunOptions(tensorboard=True))
    assert [each['type'] for each in again.visualizer.vis_backends] == backends
    monkeypatch.setattr(options, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match='pip install tensorboard, or leave the option out'):
        merged(config, '--tensorboard')
