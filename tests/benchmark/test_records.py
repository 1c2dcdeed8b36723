"""Lines of results are added whole, and damage is named."""

import json
import multiprocessing
import re
import subprocess
import sys

import pytest

from gendd_mm.benchmark import append_record, latest_records, read_records
from gendd_mm.benchmark.records import commit, exclusive
from gendd_mm.shipped import is_checkout


def record(seed: int, **more) -> dict:
    return dict(setting='s', method='m', seed=seed, sweep=None, value=None, **more)


def append_many(path: str, first: int) -> None:
    for seed in range(first, first + 20):
        append_record(path, record(seed))


def test_it_reads_what_was_appended(tmp_path):
    path = tmp_path / 'new' / 'results.jsonl'
    assert read_records(path) == []
    for seed in range(3):
        append_record(path, record(seed))
    assert read_records(path) == [record(seed) for seed in range(3)]
    assert len(path.read_text().splitlines()) == 3


def test_the_latest_of_a_run_counts():
    records = [record(0, x=1), record(1, x=2), record(0, x=3)]
    assert latest_records(records) == [record(0, x=3), record(1, x=2)]


def test_two_writers_lose_nothing(tmp_path):
    path = str(tmp_path / 'results.jsonl')
    context = multiprocessing.get_context('fork')
    writers = [context.Process(target=append_many, args=(path, first)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    seeds = sorted(each['seed'] for each in read_records(path))
    assert seeds == [*range(20), *range(100, 120)]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / 'results.jsonl'
    append_record(path, record(0))
    with pytest.raises(TypeError):
        append_record(path, record(1, x=object()))
    assert read_records(path) == [record(0)]


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / 'results.jsonl'
    path.write_text(json.dumps(record(0)) + '\n{"setting"')
    with pytest.raises(ValueError, match=r'results\.jsonl:2'):
        read_records(path)


def test_a_lock_has_one_holder(tmp_path):
    lock = tmp_path / 'lock'
    with exclusive(lock), pytest.raises(BlockingIOError), exclusive(lock, wait=False):
        pass
    with exclusive(lock, wait=False):
        pass


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path):
    code = (
        'import sys, time\nfrom gendd_mm.benchmark.records import commit, exclusive\n'
        f'with exclusive({str(tmp_path / "lock")!r}):\n    print(1, flush=True)\n    time.sleep(99)'
    )
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(BlockingIOError), exclusive(tmp_path / 'lock', wait=False):
            pass
        holder.kill()
    with exclusive(tmp_path / 'lock', wait=False):
        pass


def test_an_installed_package_is_of_no_commit(monkeypatch):
    """The repository that its environment lies in is another project's."""
    if is_checkout():
        assert re.fullmatch(r'[0-9a-f]{12}(-dirty)?', commit())
    monkeypatch.setattr('gendd_mm.benchmark.records.is_checkout', lambda: False)
    assert commit() == 'unknown'
