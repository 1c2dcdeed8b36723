"""A test of another kind of checkpoint says what the file is, and what tests it."""

import doctest
import sys
from pathlib import Path

import pytest
import small_models
import torch

from gendd_commands.test import main
from gendd_mm.deploy import export_student
from gendd_mm.engine import checkpoint_kind
from gendd_mm.engine.checkpoint_kind import config_of, kind_of
from gendd_mm.engine.launch import run_test
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.stages import train_stages
from gendd_mm.shipped import shipped


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A run of GenDD, its teacher and its exported student."""
    folder = tmp_path_factory.mktemp('kinds')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'run', teacher)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = 1
    cfg.dump(str(folder / 'gendd.py'))
    small_models.trained(cfg)
    export_student(cfg, str(folder / 'run/epoch_1.pth'), str(folder / 'exported'))
    student = small_models.shrunk('digits/student_digits.py', folder / 'plain', None)
    student.dump(str(folder / 'student_digits.py'))
    return folder


def refusal(config: Path, checkpoint: Path, folder: Path) -> str:
    with pytest.raises(ValueError, match=r'\w') as raised:
        run_test(str(config), str(checkpoint), RunOptions(work_dir=str(folder / 'tests')))
    return str(raised.value)


def named_by_a_run(folder: Path, name: str) -> Path:
    """The teacher's file as a run of that name would have written it."""
    content = torch.load(folder / 'teacher.pth', weights_only=True)
    path = folder / 'runs' / 'epoch_9.pth'
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(state_dict=content['state_dict'], meta=dict(experiment_name=name)), path)
    return path


def test_a_teacher_is_called_a_classifier_and_its_config_is_named(folder):
    path = named_by_a_run(folder, 'teacher_digits_20260102_030405')
    text = refusal(folder / 'gendd.py', path, folder)
    assert f'{path} is a plain classifier of 10 classes, as a teacher' in text
    assert f'{folder / "gendd.py"} is for a run of a distillation' in text
    assert text.endswith(f'gendd-test configs/digits/teacher_digits.py {path}')


def test_an_exported_student_is_too_and_what_its_config_lacks(folder):
    path = folder / 'exported' / 'student.pth'
    text = refusal(folder / 'gendd.py', path, folder)
    assert f'{path} is a plain classifier of 10 classes' in text
    assert f'Its config is {folder / "exported" / "student.py"}, which names no test' in text


def test_a_run_of_gendd_is_no_plain_student(folder):
    path = folder / 'run' / 'epoch_1.pth'
    text = refusal(folder / 'student_digits.py', path, folder)
    assert f'{path} is a run of a distillation of 10 classes' in text
    assert 'is for a plain classifier' in text


def test_a_bare_network_is_told_apart(folder):
    weights = torch.load(folder / 'teacher.pth', weights_only=True)['state_dict']
    path = folder / 'bare.pth'
    torch.save({key.partition('.')[2]: value for key, value in weights.items()}, path)
    text = refusal(folder / 'gendd.py', path, folder)
    assert f'{path} is a bare network, as timm and torchvision save it' in text
    assert text.endswith('Test it by the config of the run that wrote it.')


def test_resuming_from_another_kind_names_no_test(folder):
    run = torch.load(folder / 'run' / 'epoch_1.pth', weights_only=True)
    teacher = torch.load(folder / 'teacher.pth', weights_only=True)['state_dict']
    path = folder / 'resumable.pth'
    torch.save({**run, 'state_dict': teacher}, path)
    options = RunOptions(work_dir=str(folder / 'again'), resume=str(path))
    with pytest.raises(ValueError, match='resumable.pth is a plain classifier') as raised:
        train_stages(str(folder / 'gendd.py'), options)
    assert 'gendd-test' not in str(raised.value)


@pytest.mark.parametrize('name', ['*', '../secret', 'a/b', '', 3, None, 'no_such_run'])
def test_names_of_runs_are_no_patterns_and_no_paths(name, tmp_path):
    assert config_of(str(tmp_path / 'a.pth'), dict(meta=dict(experiment_name=name))) is None
    assert config_of(str(tmp_path / 'a.pth'), dict(meta=name)) is None


def test_a_config_beside_the_file_comes_first(tmp_path):
    meta = dict(meta=dict(experiment_name='teacher_digits'))
    assert config_of(str(tmp_path / 'a.pth'), meta) == 'configs/digits/teacher_digits.py'
    folder = tmp_path / 'work_dirs' / 'student_digits' / 'seed0'
    assert config_of(str(folder / 'a.pth'), {}) == 'configs/digits/student_digits.py'
    assert config_of(str(folder / 'a.pth'), meta) == 'configs/digits/teacher_digits.py'
    (tmp_path / 'teacher_digits.py').touch()
    assert config_of(str(tmp_path / 'a.pth'), meta) == str(tmp_path / 'teacher_digits.py')


def test_every_config_of_a_run_has_a_name_of_its_own():
    """Else the name of a run would not tell its config."""
    names = [path.stem for path in shipped('configs').rglob('*.py') if '_base_' not in path.parts]
    assert len(names) == len(set(names))


def test_kinds_are_told_by_the_names_of_weights():
    assert kind_of(['architecture.head.fc.weight', 'teacher.backbone.a']) == 'distillation'
    assert kind_of(['architecture.head.fc.weight']) == 'student'
    assert kind_of(['conv1.weight', 'fc.weight']) == 'network'
    assert kind_of(['student.backbone.conv1.weight']) is None
    assert doctest.testmod(checkpoint_kind).failed == 0


def test_the_command_says_it_in_one_line(folder, monkeypatch, capsys):
    config, checkpoint, work_dir = (folder / name for name in ('gendd.py', 'teacher.pth', 'tests'))
    argv = ['gendd-test', str(config), str(checkpoint), '--work-dir', str(work_dir)]
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith('error: ')
    assert 'is a plain classifier of 10 classes' in said[-1]
