"""The console commands: --help needs no stack, and they are the scripts of tools/."""

import argparse
import configparser
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import DictAction

from gendd_commands import dataset_check, export_student
from gendd_commands.command_line import add_cfg_options, shown_command
from gendd_mm.datasets.check import SPLITS
from gendd_mm.deploy import PROBES
from gendd_mm.engine.options import read_config
from gendd_mm.missing_stack import install_command
from gendd_mm.shipped import shipped

ROOT = Path(__file__).resolve().parent.parent


def declared() -> dict[str, str]:
    """The module of each command, as setup.cfg has it."""
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    lines = config['options.entry_points']['console_scripts'].split('\n')[1:]
    named = (line.partition(' = ') for line in lines)
    return {name: module.removesuffix(':main') for name, _, module in named}


COMMANDS = declared()
# Runs a command as its script does, and says which packages it has loaded.
RUN = """
import sys
from {module} import main
sys.argv = {argv}
try:
    main()
finally:
    print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)
"""


def run(command: str, *arguments: str, before: str = '') -> subprocess.CompletedProcess:
    code = before + RUN.format(module=COMMANDS[command], argv=[f'bin/{command}', *arguments])
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_loads_no_package_but_its_own(command):
    started = time.monotonic()
    done = run(command, '--help')
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'usage: {command} ')
    loaded = set(done.stderr.split())
    assert 'argparse' in loaded
    assert not loaded & {'torch', 'numpy', 'mmengine', 'mmcv', 'mmpretrain', 'gendd_mm', 'rich'}
    assert seconds < 1, f'{seconds:.2f} s'


@pytest.mark.parametrize('command', COMMANDS)
def test_a_script_of_the_tools_is_the_same_command(command):
    tool = COMMANDS[command].removeprefix('gendd_commands.')
    script = [sys.executable, ROOT / 'tools' / f'{tool}.py', '--help']
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=True)
    # Its name differs, and so where lines break.
    of_tool = done.stdout.replace(f'{tool}.py', command).split()
    assert of_tool == run(command, '--help').stdout.split()


@pytest.mark.parametrize('package', ['torch', 'mmengine'])
@pytest.mark.parametrize('more', [(), ('--cfg-options', 'a=1')])
def test_what_is_not_installed_is_named_in_one_line(package, more):
    hide = f'import sys\nsys.modules[{package!r}] = None\n'
    done = run('gendd-train', 'configs/gendd_digits.py', *more, before=hide)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(said) == 1
    assert package in said[0]
    assert 'pip install' in said[0]
    assert 'Traceback' not in done.stderr


def test_a_command_names_others_as_it_was_called(monkeypatch):
    for called, expected in (
        ('/env/bin/gendd-make-config', 'gendd-store-teacher'),
        ('tools/make_config.py', 'python tools/store_teacher.py'),
        ('/env/gendd_commands/train.py', 'gendd-store-teacher'),
    ):
        monkeypatch.setattr(sys, 'argv', [called])
        assert shown_command('store_teacher') == expected


def test_the_choices_are_those_of_the_package():
    assert dataset_check.SPLITS == SPLITS
    assert export_student.PROBES == PROBES


@pytest.mark.parametrize(
    'values',
    [['a.b=1', 'c=x'], ['a=[1,2]', 'b=(a,b)', 'c=1,2'], ['a="[(1,2),(3,4)]"', 'b=None'], ['a=b=c']],
)
def test_settings_are_read_as_mmengine_reads_them(values):
    ours, theirs = argparse.ArgumentParser(), argparse.ArgumentParser()
    add_cfg_options(ours)
    theirs.add_argument('--cfg-options', nargs='+', action=DictAction)
    asked = ['--cfg-options', *values, '--cfg-options', 'last=3']
    assert ours.parse_args(asked) == theirs.parse_args(asked)
    assert ours.parse_args([]).cfg_options is None


def test_a_setting_without_a_value_is_refused(capsys):
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', 'a=1', 'lr'])
    assert '--cfg-options lr: it must be key=value' in capsys.readouterr().err


def test_a_shipped_config_is_found_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = 'configs/gendd_digits.py'
    assert Path(read_config(name).filename).samefile(ROOT / name)
    # The user's own comes first, and other paths are as they are.
    (tmp_path / 'configs').mkdir()
    (tmp_path / name).write_text('mine = True\n')
    assert read_config(name).mine
    with pytest.raises(FileNotFoundError, match='gendd_digits.py is not a file'):
        read_config('gendd_digits.py')


def test_an_installed_package_ships_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr('gendd_mm.shipped._PACKAGE', tmp_path / 'gendd_mm')
    assert install_command() == "pip install 'gendd_mm[mm]'"
    assert shipped('configs/a.py') == tmp_path / 'gendd_mm' / '.mim' / 'configs' / 'a.py'
    (tmp_path / 'setup.cfg').touch()
    assert "pip install -e '.[mm]'" in install_command()
    assert shipped('configs/a.py') == tmp_path / 'configs' / 'a.py'


def test_the_page_on_installing_lists_all_commands():
    page = (ROOT / 'docs/install.md').read_text()
    table = page.partition('| command |')[2].partition('\n\n')[0]
    assert set(re.findall(r'`(gendd-[\w-]+)`', table)) == set(COMMANDS)
    scripts = {f'tools/{module.partition(".")[2]}.py' for module in COMMANDS.values()}
    assert set(re.findall(r'`(tools/\w+\.py)`', table)) == scripts
