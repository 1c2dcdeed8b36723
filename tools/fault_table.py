"""Inject every fault of docs/reliability.md, and write its table.

python tools/fault_table.py [--write-only]

A test that injects a fault carries the marker ``fault(group, fault, outcome)``, one row of
the table. The table is written only if every such test passes; the slow ones take about
half an hour. ``--write-only`` writes the rows without running the tests.
"""

import argparse
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / 'docs' / 'reliability.md'
BEGIN, END = '<!-- faults -->', '<!-- end of faults -->'
GROUPS = (
    'Checkpoints',
    'Numbers',
    'Resuming',
    'Ranks',
    'Interruptions',
    'Disk',
    'Data',
    'Configs',
    'Stores',
)


class FaultRows:
    """A pytest plugin: keeps the tests with a fault, and their rows."""

    def __init__(self) -> None:
        # (group, fault, outcome) -> files of the tests.
        self.rows: dict[tuple[str, str, str], set[str]] = {}

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Read the markers; tests without one are left out."""
        for item in items:
            for marker in item.iter_markers('fault'):
                group, fault, outcome = marker.args
                if group not in GROUPS:
                    raise pytest.UsageError(
                        f'{item.nodeid}: group={group!r} is unknown; choose from {GROUPS}.'
                    )
                file = Path(item.path).relative_to(ROOT).as_posix()
                self.rows.setdefault((group, fault, outcome), set()).add(file)
        items[:] = [item for item in items if item.get_closest_marker('fault')]


def collect() -> FaultRows:
    """The rows of all tests, which are not run.

    Raises:
        ValueError: If pytest cannot collect them.
    """
    rows = FaultRows()
    if run_pytest(rows, '--collect-only'):
        raise ValueError('pytest could not collect the tests; its message above says why.')
    return rows


def table(rows: dict[tuple[str, str, str], set[str]]) -> str:
    """The rows as Markdown, in the order of ``GROUPS``."""
    lines = ['| | fault | what happens | tested in |', '| --- | --- | --- | --- |']
    for group in GROUPS:
        shown = group
        for (own, fault, outcome), files in sorted(rows.items()):
            if own == group:
                tests = ', '.join(f'`{file}`' for file in sorted(files))
                lines.append(f'| {shown} | {fault} | {outcome} | {tests} |')
                shown = ''
    return '\n'.join(lines)


def written_table() -> str:
    """The table as the document has it."""
    return DOCUMENT.read_text().partition(f'{BEGIN}\n')[2].partition(f'\n{END}')[0]


def write(rows: dict[tuple[str, str, str], set[str]]) -> None:
    """Replace the table of the document."""
    head, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCUMENT.write_text(f'{head}{BEGIN}\n{table(rows)}\n{END}{tail}')


def run_pytest(rows: FaultRows, *options: str) -> int:
    # The fast and the slow ones; a GPU's are skipped where there is none.
    return pytest.main(['-q', '-m', 'fault', '--rootdir', str(ROOT), *options], plugins=[rows])


def main() -> int:
    """Run the tests and write the table; returns the exit status."""
    parser = argparse.ArgumentParser(description='Inject every fault and write the table')
    parser.add_argument(
        '--write-only', action='store_true', help='write the rows without running the tests'
    )
    if parser.parse_args().write_only:
        rows = collect()
    else:
        rows = FaultRows()
        status = run_pytest(rows)
        if status:
            print('Not written: a fault was neither survived nor refused.', file=sys.stderr)
            return status
    write(rows.rows)
    print(f'{len(rows.rows)} faults in {DOCUMENT.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
