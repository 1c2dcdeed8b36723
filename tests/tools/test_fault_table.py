"""The table of faults is that of the tests."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('fault_table', ROOT / 'tools' / 'fault_table.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# In a process of its own: pytest within pytest would collect these tests again.
COLLECT = """
import sys
sys.path.insert(0, 'tools')
import fault_table
rows = fault_table.collect().rows
print('BEGIN' + fault_table.table(rows))
"""


def test_the_document_has_the_rows_of_the_tests(tool):
    done = subprocess.run(
        [sys.executable, '-c', COLLECT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.partition('BEGIN')[2].strip() == tool.written_table(), (
        'docs/reliability.md is behind the tests: python tools/fault_table.py'
    )


def test_rows_are_in_the_order_of_the_groups(tool):
    rows = {
        ('Disk', 'full', 'said'): {'tests/b.py', 'tests/a.py'},
        ('Numbers', 'NaN', 'stops'): {'tests/c.py'},
        ('Numbers', 'Inf', 'stops'): {'tests/c.py'},
    }
    assert tool.table(rows).splitlines()[2:] == [
        '| Numbers | Inf | stops | `tests/c.py` |',
        '|  | NaN | stops | `tests/c.py` |',
        '| Disk | full | said | `tests/a.py`, `tests/b.py` |',
    ]


def test_the_table_is_not_written_if_a_fault_is_not_survived(tool, tmp_path, monkeypatch):
    document = tmp_path / 'reliability.md'
    document.write_text(f'before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n')
    monkeypatch.setattr(tool, 'DOCUMENT', document)
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['fault_table.py'])
    monkeypatch.setattr(tool, 'run_pytest', lambda rows, *options: 1)
    assert tool.main() == 1
    assert 'old' in document.read_text()

    def passing(rows, *options):
        rows.rows['Disk', 'full', 'said'] = {'tests/a.py'}
        return 0

    monkeypatch.setattr(tool, 'run_pytest', passing)
    assert tool.main() == 0
    text = document.read_text()
    assert 'old' not in text
    assert text.startswith('before\n')
    assert text.endswith('after\n')
