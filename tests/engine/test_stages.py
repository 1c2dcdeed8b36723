"""Two stages by one command, stopped wherever."""

import argparse
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
import small_models
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from small_models import CONFIGS, ROOT

from gendd_mm.engine import launch, options, stages

CONFIG = str(CONFIGS / 'digits' / 'gendd_digits_two_stages.py')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> str:
    return small_models.digits_teacher(
        tmp_path_factory.mktemp('teacher') / 'teacher.pth')


def arguments(config=CONFIG, **settings) -> argparse.Namespace:
    return small_models.train_arguments(config, **settings)


def read_both(args: argparse.Namespace) -> tuple:
    second = options.merge_train(options.read_config(args.config), args)
    return stages.read_stage1(second, args), second


# What stage 1 is given.
def test_both_stages_get_the_seed_and_the_options(tmp_path, monkeypatch):
    monkeypatch.setattr(options, 'get_device', lambda: 'cuda')
    first, second = read_both(
        arguments(
            amp=True,
            no_validate=True,
            work_dir=str(tmp_path),
            cfg_options={'randomness.seed': 7}))
    for cfg in (first, second):
        assert cfg.randomness.seed == 7
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
        assert cfg.val_cfg is None
        assert cfg.launcher == 'none' and cfg.resume is False
    assert (first.work_dir, second.work_dir) == (str(tmp_path / 'stage1'),
                                                 str(tmp_path))


def test_options_of_stage1_have_its_prefix(tmp_path):
    first, second = read_both(
        arguments(
            cfg_options={
                'train_cfg.max_epochs': 7,
                'stage1.train_cfg.max_epochs': 3,
                'stage1.param_scheduler.0.end': 3,
                'stage1.randomness.seed': 5
            }))
    assert (first.train_cfg.max_epochs, second.train_cfg.max_epochs) == (3, 7)
    assert first.param_scheduler[0].end == 3
    assert first.param_scheduler[0].type == 'CosineAnnealingLR'
    assert (first.randomness.seed, second.randomness.seed) == (5, 0)


def write(folder: Path, text: str, name: str = 'two.py') -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_its_config_is_relative_to_the_one_that_names_it(tmp_path):
    write(tmp_path, "_base_ = ['toy_base.py']\n", 'one.py')
    write(tmp_path,
          "model = dict(type='A')\noptim_wrapper = dict()\nseen = True\n",
          'toy_base.py')
    two = write(tmp_path, "_base_ = ['one.py']\nstage1 = "
                "dict(config='one.py')\n")
    first, second = read_both(arguments(two))
    assert first.seen
    # A dumped config, which is elsewhere, still finds it.
    assert second.stage1.config == str(tmp_path / 'one.py')


@pytest.mark.parametrize('text, error, message', [
    ('stage1 = dict(config="gone.py")', FileNotFoundError, 'gone.py'),
    ('stage1 = dict(train_cfg=dict())', ValueError, 'names no config'),
    ('stage1 = dict(config="two.py")', ValueError, 'two stages at most'),
])
def test_a_wrong_stage1_is_named(tmp_path, text, error, message):
    two = write(tmp_path, f'{text}\noptim_wrapper = dict()\n')
    with pytest.raises(error, match=message):
        read_both(arguments(two))


# Which stages run.
@pytest.fixture
def ran(monkeypatch) -> list:
    """Configs that would be trained; each leaves its final checkpoint."""
    configs = []

    def leave_a_checkpoint(cfg) -> None:
        configs.append(cfg)
        save(cfg.work_dir, cfg.train_cfg.max_epochs)

    monkeypatch.setattr(stages, 'run_training', leave_a_checkpoint)
    return configs


def save(work_dir, epoch: int) -> str:
    path = Path(work_dir) / f'epoch_{epoch}.pth'
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta=dict(epoch=epoch, iter=epoch), state_dict={}), path)
    (path.parent / 'last_checkpoint').write_text(str(path))
    return str(path)


def warm_starts(cfg) -> list:
    return [
        hook.checkpoint for hook in cfg.custom_hooks
        if hook.type.endswith('WarmStartHook')
    ]


def test_stage_2_follows_stage_1(ran, tmp_path):
    stages.train(arguments(work_dir=str(tmp_path), resume='auto'))
    assert [cfg.work_dir
            for cfg in ran] == [str(tmp_path / 'stage1'),
                                str(tmp_path)]
    assert [cfg.resume for cfg in ran] == [False, False]
    assert ran[0].experiment_name == 'warmup_digits_stage1'
    assert warm_starts(ran[1]) == [str(tmp_path / 'stage1' / 'epoch_5.pth')]


@pytest.mark.parametrize('resume', [None, 'auto'])
def test_a_finished_stage_1_is_not_repeated(ran, tmp_path, resume):
    final = save(tmp_path / 'stage1', 5)
    stages.train(arguments(work_dir=str(tmp_path), resume=resume))
    assert [cfg.work_dir for cfg in ran] == [str(tmp_path)]
    assert warm_starts(ran[0]) == [final]


def test_an_unfinished_stage_1_is_resumed(ran, tmp_path):
    save(tmp_path / 'stage1', 4)
    stages.train(arguments(work_dir=str(tmp_path), resume='auto'))
    assert ran[0].resume and ran[0].load_from.endswith('stage1/epoch_4.pth')
    assert len(ran) == 2 and not ran[1].resume


def test_a_resumed_stage_2_needs_no_stage_1(ran, tmp_path):
    save(tmp_path, 4)
    stages.train(arguments(work_dir=str(tmp_path), resume='auto'))
    assert [cfg.work_dir for cfg in ran] == [str(tmp_path)]
    assert ran[0].resume and not warm_starts(ran[0])


def test_a_path_to_resume_from_is_of_stage_2_or_the_stage_asked(ran, tmp_path):
    path = save(tmp_path / 'other', 3)
    asked = dict(work_dir=str(tmp_path / 'work'), resume=path)
    stages.train(arguments(**asked))
    stages.train(arguments(**asked, stage=1))
    assert [Path(cfg.work_dir).name for cfg in ran] == ['work', 'stage1']
    assert [cfg.load_from for cfg in ran] == [path, path]


def test_one_stage_alone(ran, tmp_path):
    args = dict(work_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match='stage1.*--stage out'):
        stages.train(arguments(**args, stage=2))
    stages.train(arguments(**args, stage=1))
    stages.train(arguments(**args, stage=2))
    assert [Path(cfg.work_dir).name
            for cfg in ran] == ['stage1', tmp_path.name]


def test_without_a_stage_1(ran, tmp_path):
    args = dict(work_dir=str(tmp_path), cfg_options=dict(stage1=None))
    stages.train(arguments(**args))
    assert len(ran) == 1 and not warm_starts(ran[0])
    with pytest.raises(ValueError, match='has no stage1.*Leave --stage out'):
        stages.train(arguments(**args, stage=1))


def test_another_backbone_is_an_error_before_stage_1(ran, tmp_path):
    args = arguments(
        work_dir=str(tmp_path),
        cfg_options={'stage1.model.backbone.stem_channels': 4})
    with pytest.raises(ValueError, match='backbones of stage 1.*differ'):
        stages.train(args)
    assert not ran


def test_stage_1_must_leave_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, 'run_training', lambda cfg: None)
    with pytest.raises(FileNotFoundError, match='left no checkpoint'):
        stages.train(arguments(work_dir=str(tmp_path)))


def test_a_trained_model_is_freed(teacher, tmp_path):
    models = []

    @HOOKS.register_module(force=True)
    class Watch(Hook):

        def before_train(self, runner) -> None:
            models.append(weakref.ref(runner.model))

    cfg = small_models.shrunk('digits/warmup_digits.py', tmp_path, teacher)
    cfg.custom_hooks.append(dict(type='Watch'))
    cfg.train_cfg.max_epochs = 1
    cfg.launcher = 'none'
    with small_models.quickly():
        launch.run_training(cfg)
    assert [model() for model in models] == [None]


# Killed, and killed again.
def small(teacher: str, images: int, **more) -> dict:
    """Options for two epochs of a few steps in either stage."""
    settings = {
        'train_cfg.max_epochs': 2,
        'train_dataloader.batch_size': 16,
        'train_dataloader.dataset.indices': images,
        'default_hooks.logger.interval': 1,
        **more
    }
    head = 'model.distiller.distill_losses.loss_gendd.head'
    return {
        **settings,
        **{
            f'stage1.{key}': value
            for key, value in settings.items()
        }, 'model.teacher_ckpt': teacher,
        'stage1.model.head.teacher_ckpt': teacher,
        f'{head}.denoiser.width': 32
    }


def wait_for_the_second_epoch(folder: Path, is_running) -> None:
    """Until a run has logged the second step of it."""
    while is_running():
        logs = (path.read_text() for path in folder.glob('*/*.log'))
        if any(
                re.search(r'Epoch\(train\)\s+\[2\]\[ *2/', log)
                for log in logs):
            return
        time.sleep(0.05)
    pytest.fail(f'the run in {folder} ended too early')


def check_same(whole: Path, killed: Path) -> None:
    """Weights and moments of the optimizer, bit for bit, in both stages."""
    for name in ('stage1/epoch_2.pth', 'epoch_2.pth'):
        one, other = (
            torch.load(folder / name, weights_only=True)
            for folder in (whole, killed))
        assert one['state_dict'].keys() == other['state_dict'].keys()
        for key, value in one['state_dict'].items():
            assert value.equal(other['state_dict'][key]), (name, key)
        moments = [c['optimizer']['state'] for c in (one, other)]
        for index, state in moments[0].items():
            assert state['exp_avg'].equal(moments[1][index]['exp_avg'])


@pytest.fixture(scope='module')
def processes():
    """Start Python processes that have imported everything already."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(
        ['gendd_mm.engine.stages', 'mmpretrain.models', 'small_models'])
    return context


def test_killed_in_both_stages_is_as_never_killed(teacher, tmp_path,
                                                  processes):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    stage1 = killed / 'stage1'

    pause = {'default_hooks.pause': dict(type='PauseHook')}

    def started(work_dir: Path, *more: str) -> multiprocessing.Process:
        args = arguments(
            work_dir=str(work_dir),
            no_validate=True,
            resume='auto',
            cfg_options=small(teacher, images=64, **pause))
        process = processes.Process(
            target=small_models.train_in_stages, args=(args, *more))
        process.start()
        return process

    def kill_in(folder: Path) -> None:
        process = started(killed, str(folder))
        wait_for_the_second_epoch(folder, process.is_alive)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    unbroken = started(whole)
    kill_in(stage1)
    assert not (stage1 / 'epoch_2.pth').exists()
    # What a kill while saving leaves, at worst.
    saved = (stage1 / 'epoch_1.pth').read_bytes()
    (stage1 / 'epoch_2.pth').write_bytes(saved[:-100])
    (stage1 / 'last_checkpoint').write_text('')
    kill_in(killed)
    # It went on from there; and the last one needs nothing of stage 1.
    assert (stage1 / 'epoch_1.pth').read_bytes() == saved
    stage1.rename(tmp_path / 'away')
    last = started(killed)
    for process in (last, unbroken):
        process.join()
        assert process.exitcode == 0
    (tmp_path / 'away').rename(stage1)
    check_same(whole, killed)


@pytest.mark.slow
def test_two_processes_killed_in_both_stages(teacher, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'

    def started(work_dir: Path) -> subprocess.Popen:
        options = small(teacher, images=1200)
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
        return subprocess.Popen([
            'bash', 'tools/dist_train.sh', CONFIG, '2', '--work-dir',
            str(work_dir), '--no-validate', '--resume', '--cfg-options',
            *(f'{key}={value}' for key, value in options.items())
        ],
                                env=dict(env, PYTHON=sys.executable),
                                cwd=ROOT)

    def kill_in(folder: Path) -> None:
        process = started(killed)
        wait_for_the_second_epoch(folder, lambda: process.poll() is None)
        for pid in [*children(process.pid), process.pid]:
            os.kill(pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    assert started(whole).wait(timeout=300) == 0
    kill_in(killed / 'stage1')
    kill_in(killed)
    assert started(killed).wait(timeout=300) == 0
    check_same(whole, killed)


def children(pid: int) -> list:
    """The processes that a process has started: torchrun its workers."""
    text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [int(word) for word in text.split()]
