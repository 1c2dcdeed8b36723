"""Curves of runs: what the log says, also of runs that were resumed or are going on."""

import json
import sys
from pathlib import Path

import pytest

from gendd_commands import plot_run as command
from gendd_mm.analysis import draw_curves, read_curves

STEPS = 10


def log(work_dir: Path, start: str, epochs: range, value: float, more: str = '') -> None:
    """Write the log of a start: a line for each half of an epoch, and validations."""
    lines = []
    for epoch in epochs:
        for half in (5, STEPS):
            iteration = (epoch - 1) * STEPS + half
            lines.append(dict(lr=0.1, loss=value, epoch=epoch, iter=iteration, step=iteration))
        lines.append({'gen/top1': 10.0 * value, 'time': 0.1, 'step': epoch})
    path = work_dir / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, lines)) + more)


def test_training_and_validation_share_an_axis(tmp_path):
    log(tmp_path, '1', range(1, 3), 4.0)
    curves = read_curves(tmp_path)
    assert curves['loss'] == dict.fromkeys((0.5, 1.0, 1.5, 2.0), 4.0)
    assert curves['gen/top1'] == {1.0: 40.0, 2.0: 40.0}
    assert set(curves) == {'loss', 'lr', 'gen/top1'}


def test_steps_that_were_trained_again_count_once(tmp_path):
    log(tmp_path, '1', range(1, 4), 4.0)
    log(tmp_path, '2', range(3, 5), 1.0)
    curves = read_curves(tmp_path)
    assert list(curves['loss']) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert [curves['loss'][x] for x in (2.0, 2.5, 4.0)] == [4.0, 1.0, 1.0]
    assert curves['gen/top1'] == {1.0: 40.0, 2.0: 40.0, 3.0: 10.0, 4.0: 10.0}


def test_a_run_without_epochs_counts_iterations(tmp_path):
    path = tmp_path / '1' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    lines = [dict(loss=2.0, iter=50, step=50), {'gen/top1': 7.0, 'step': 100}]
    path.write_text('\n'.join(map(json.dumps, lines)))
    assert read_curves(tmp_path) == {'loss': {50.0: 2.0}, 'gen/top1': {100.0: 7.0}}


def test_half_a_line_is_left_out(tmp_path):
    log(tmp_path, '1', range(1, 2), 4.0, more='\n{"loss": 3.')
    assert list(read_curves(tmp_path)['loss']) == [0.5, 1.0]


def test_runs_are_drawn_beside_each_other(tmp_path, monkeypatch, capsys):
    pytest.importorskip('matplotlib')
    for name in ('a', 'b'):
        log(tmp_path / name, '1', range(1, 3), 1.0)
    work_dirs = [str(tmp_path / name) for name in ('a', 'b')]
    monkeypatch.setattr(sys, 'argv', ['plot_run', *work_dirs])
    command.main()
    picture = tmp_path / 'a' / 'curves.png'
    assert capsys.readouterr().out == f'wrote {picture}\n'
    assert picture.read_bytes()[:4] == b'\x89PNG'
    svg = tmp_path / 'chosen.svg'
    draw_curves({'a': read_curves(work_dirs[0])}, svg, ['loss'])
    assert '<svg' in svg.read_text()


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='give the work dir of a run'):
        read_curves(tmp_path)
    log(tmp_path, '1', range(1, 2), 1.0)
    with pytest.raises(ValueError, match=r"no run has logged \['acc'\]; choose from \['gen/top1'"):
        draw_curves({'a': read_curves(tmp_path)}, tmp_path / 'a.png', ['acc'])
    with pytest.raises(ValueError, match=r"a\.foo ends with 'foo'; choose from .*png.*svg"):
        draw_curves({'a': read_curves(tmp_path)}, tmp_path / 'a.foo')
    draw_curves({'a': read_curves(tmp_path)}, tmp_path / 'new' / 'a.png', ['loss'])
    assert (tmp_path / 'new' / 'a.png').is_file()
    log(tmp_path / 'empty', '1', range(0), 1.0)
    with pytest.raises(ValueError, match='has no scalars yet'):
        read_curves(tmp_path / 'empty')
