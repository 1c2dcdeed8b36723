"""Nothing is printed that a user can do nothing about, and nothing else is hidden."""

import configparser
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gendd_mm import compat

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize('code', ['import gendd_mm', 'import gendd_mm.models, gendd_mm.deploy'])
def test_an_import_prints_nothing(code):
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert (done.stdout, done.stderr) == ('', '')


@pytest.mark.parametrize('tool', ['train.py', 'test.py', 'export_student.py', 'benchmark.py'])
def test_help_is_all_that_help_prints(tool):
    command = [sys.executable, str(ROOT / 'tools' / tool), '--help']
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith('usage: ')
    assert done.stderr == ''


def test_a_warning_is_silenced_by_its_message_alone():
    with warnings.catch_warnings(record=True) as seen:
        warnings.resetwarnings()
        compat.silence_harmless_warnings()
        for message, category in compat._HARMLESS:
            warnings.warn(f'{message} and so on', category, stacklevel=1)
            warnings.warn(f'something else, not {message}', category, stacklevel=1)
            warnings.warn(message, RuntimeWarning, stacklevel=1)
    assert len(seen) == 2 * len(compat._HARMLESS)
    assert not any(str(warning.message).endswith('and so on') for warning in seen)


def test_tests_stop_at_warnings_of_ours_and_ignore_others_by_name():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    first, *others = config['tool:pytest']['filterwarnings'].split('\n')[1:]
    assert re.match(first.removeprefix('error:::'), 'gendd_mm.models.heads')
    for line in others:
        action, message, category = line.split(':', 2)
        assert action == 'ignore'
        assert len(message) > 20
        assert category.endswith('Warning')
    for message, category in compat._HARMLESS:
        assert f'ignore:{message}:{category.__name__}' in others
