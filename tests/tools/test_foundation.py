"""The table of the foundation teacher is that of its lines."""

import runpy

import pytest
from small_models import ROOT

from gendd_mm.benchmark.records import read_records


def test_the_page_shows_what_the_lines_say():
    pytest.importorskip('timm')
    tool = runpy.run_path(str(ROOT / 'tools' / 'benchmarks' / 'foundation.py'))
    records = read_records(ROOT / 'docs' / 'benchmark' / 'foundation.jsonl')
    seeds = {(each['method'], each['seed']) for each in records}
    assert seeds == {('teacher', None)} | {
        (method, seed) for method in ('start', *tool['METHODS']) for seed in range(3)
    }
    assert len(records) == len(seeds)
    assert not any(each['commit'].endswith('-dirty') for each in records)
    page = (ROOT / 'configs' / 'foundation' / 'README.md').read_text()
    assert tool['table'](records) in page
