"""The benchmark of stores, and the page that shows what it found."""

import json
import runpy
import sys

from small_models import ROOT

from gendd_mm.benchmark.records import read_records

TOOLS = ROOT / 'tools' / 'benchmarks'


def test_a_stored_step_lacks_the_teachers_products():
    sys.path.insert(0, str(TOOLS))
    try:
        tool = runpy.run_path(str(TOOLS / 'store.py'))
    finally:
        sys.path.remove(str(TOOLS))
    import tempfile

    import torch

    config, shape = str(ROOT / 'configs' / 'gendd_digits.py'), (4, 3, 8)
    with tempfile.TemporaryDirectory() as folder:
        live = tool['build_live'](config, torch.device('cpu'))
        tool['write_store'](folder, live, tool['ROWS'])
        stored = tool['build_stored'](config, folder, torch.device('cpu'))
        steps = [tool['Steps'](model, config, shape) for model in (live, stored)]
        with_teacher, without = (tool['multiply_adds'](step) for step in steps)
        images = torch.zeros(4, 3, 8, 8)
        alone = tool['multiply_adds'](lambda: live.teacher.extract_feat(images))
        classifier = 4 * 256 * 10  # of four images, which is in the store too
        assert with_teacher - without == alone - classifier > 0
        assert 'rows/s' in tool['read_rate'](folder, rows=10)


def test_the_page_shows_what_the_lines_say():
    tool = runpy.run_path(str(TOOLS / 'store_accuracy.py'))
    records = read_records(ROOT / 'docs' / 'benchmark' / 'store.jsonl')
    runs = [(each['views'], each['seed']) for each in records]
    assert sorted(runs) == [(views, seed) for views in (0, 1, 2, 4, 8, 24) for seed in range(3)]
    assert len({json.dumps(each['versions']) for each in records}) == 1
    assert tool['table'](records) in (ROOT / 'docs' / 'store.md').read_text()
