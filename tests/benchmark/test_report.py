"""Tables and plots follow from the lines of results, and nothing else."""

import math
from pathlib import Path

import pytest
from small_models import CONFIGS

from gendd_mm.benchmark import Comparison, Recipe, Run, latest_records, read_records, write_report
from gendd_mm.benchmark.plots import pareto_front
from gendd_mm.benchmark.progress import estimate
from gendd_mm.benchmark.report import cell, report
from gendd_mm.benchmark.statistics import difference, over_seeds

LINES = Path(__file__).with_name('results.jsonl')
PLAIN = Comparison('labels', 'supervised', 'gendd', 'kd')


@pytest.fixture
def records() -> list:
    return latest_records(read_records(LINES))


def row(text: str, *start: str) -> list:
    """The cells of the one row that starts so."""
    rows = [
        line.strip('| ').split(' | ')
        for line in text.splitlines()
        if line.startswith('| ' + ' | '.join(start) + ' |')
    ]
    assert len(rows) == 1, rows
    return rows[0]


def test_a_cell_is_the_mean_and_deviation_of_the_latest_of_each_seed(records):
    """80 and 81 (not the earlier 50): 80.5 with 1/sqrt(2)."""
    text = report(records, [PLAIN])
    supervised = text.partition('## supervised')[2].partition('##')[0]
    assert row(supervised, 'kd') == [
        'kd',
        '2',
        '80.50 ± 0.71',
        '80.50 ± 0.71',
        '81.50 ± 0.71',
        '-',
        '80.50 ± 0.71',
        '105 ± 7',
        '0.60',
    ]
    # Its own output is generative, of 83 and 86.
    assert row(supervised, 'gendd')[2:4] == ['84.50 ± 2.12', '77.50 ± 0.71']
    assert row(supervised, 'teacher')[1:3] == ['1', '93.00']


def test_differences_are_taken_seed_by_seed(records):
    """3 and 5: the spread is theirs, not that of either method."""
    assert difference(records, PLAIN) == pytest.approx((4, 2**0.5, 2))
    # Of two seeds Student's 97.5 % quantile is tan(0.475 pi), and std / sqrt(2) is 1.
    text = '| gendd - kd | own_top1 | 2 | +4.00 ± 1.41 | -8.71 to +16.71 |'
    assert text in report(records, [PLAIN])
    assert difference(records, PLAIN).interval() == pytest.approx(math.tan(0.475 * math.pi))
    shipped = PLAIN._replace(metric='shipped_top1')
    assert difference(records, shipped) == pytest.approx((-3, 2**0.5, 2))
    missing = PLAIN._replace(against='dkd')
    assert difference(records, missing) is None
    assert '| own_top1 | - | - | - |' in report(records, [missing])


def test_the_ways_to_a_probe_are_read(records):
    for index, record in enumerate(records):
        record['probes'] = dict(teacher=70.0 + index)
    first = [records[0]]
    assert over_seeds(first, 'probes/teacher') == pytest.approx((70, None, 1))
    assert over_seeds(first, 'probes/folded') is None


def test_noise_levels_are_means_over_seeds(records, tmp_path):
    """1000 x (0.010 and 0.014), (0.2 and 0.4); 50 and 70 percent."""
    assert 'noise level' not in report(records, [])
    runs = [
        record
        for record in records
        if record['setting'] == 'supervised' and record['method'] == 'gendd'
    ]
    for record, low, high, share in zip(runs, (0.01, 0.014), (0.2, 0.4), (0.5, 0.7)):
        record['noise_levels'] = [
            dict(low=0.0, high=0.5, signal=low, signal_share=1.0),
            dict(low=0.5, high=1.0, signal=high, signal_share=1.0),
            dict(low=None, high=None, signal=0.1, signal_share=share),
        ]
    text = report(records, []).partition('## Gradient by noise level')[2]
    assert row(text, 'method')[2:] == ['0.0', '0.5', 'as trained', 'signal share, %']
    assert row(text, 'gendd')[1:] == ['2', '12.0 ± 2.8', '300.0 ± 141.4', '100.0', '60 ± 14']
    names = {path.name for path in write_report(records, [], tmp_path)}
    assert {'noise_supervised.png', 'noise_supervised.svg'} <= names
    assert 'noise_long_tailed.png' not in names


@pytest.mark.parametrize('name', ['benchmark', 'recommended'])
def test_the_committed_tables_are_those_of_the_committed_lines(name):
    recipe = Recipe.read(str(CONFIGS / 'fashion_mnist' / f'{name}.yml'))
    tables = Path(recipe.results).with_name('tables.md').read_text()
    records = latest_records(read_records(recipe.results))
    assert tables == report(records, recipe.comparisons)


def test_shot_groups_are_of_the_own_output(records):
    text = report(records, []).partition('## long_tailed')[2]
    header = row(text, 'method')
    assert header[-3:] == ['many', 'medium', 'few']
    assert row(text, 'gendd')[-3:] == ['70.00', '50.00', '10.00']


def test_a_sweep_has_a_row_for_each_value(records):
    text = report(records, []).partition('## Sensitivity: strength')[2]
    assert row(text, '0.0')[1:3] == ['2', '81.00 ± 1.41']
    assert row(text, '0.9')[1:3] == ['1', '83.00']


def test_it_says_what_it_was_made_with(records):
    origin = report(records, []).partition('## Made with')[2]
    assert [line for line in origin.splitlines() if line] == [
        '- commit: 1111',
        '- commit: 2222',
        '- hardware: A, 2 cores',
        '- versions: torch 2.14.1',
    ]


def test_a_metric_that_a_seed_lacks_has_no_mean(records):
    assert over_seeds(records, 'gen_top1') is None
    assert over_seeds([], 'gen_top1') is None
    assert cell(None) == '-'


def test_the_front_holds_what_nothing_cheaper_reaches():
    points = [(1, 80), (2, 79), (3, 85), (3, 90), (4, 90), (5, 91)]
    assert pareto_front(points) == [(1, 80), (3, 90), (5, 91)]
    assert pareto_front(points[::-1]) == pareto_front(points)


def test_all_files_are_written_and_again_the_same(records, tmp_path):
    pytest.importorskip('matplotlib')
    written = write_report(records, [PLAIN], tmp_path)
    assert sorted(path.name for path in written) == [
        'cost_long_tailed.png',
        'cost_long_tailed.svg',
        'cost_supervised.png',
        'cost_supervised.svg',
        'sweep_strength.png',
        'sweep_strength.svg',
        'tables.md',
    ]
    before = {path: path.read_bytes() for path in written}
    write_report(records, [PLAIN], tmp_path)
    assert before == {path: path.read_bytes() for path in written}
    assert before[tmp_path / 'cost_supervised.png'].startswith(b'\x89PNG')
    with pytest.raises(ValueError, match='no results'):
        write_report([], [], tmp_path)


def test_the_time_left_is_that_of_similar_runs(records):
    kd = Run('supervised', 'kd', 2)
    assert estimate([kd], records) == pytest.approx(115)  # 110 and 120
    # Untried: as the others of its setting.
    tail = Run('long_tailed', 'kd', 0)
    assert estimate([kd, tail], records) == pytest.approx(115 + 220)
    # Prediction alone takes no training.
    draws = Run('long_tailed', 'gendd', 0, 'draws', 5, retrain=False)
    assert estimate([draws], records) == pytest.approx(20)
    # A teacher says little of its students.
    slow = dict(records[0], method='teacher', seconds=5000.0)
    new = Run('supervised', 'new', 0)
    assert estimate([new], [*records, slow]) == estimate([new], records)
    assert estimate([new], [slow]) > 5000
    assert estimate([kd], []) is None
