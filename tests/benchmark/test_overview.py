"""The overview of settings: its table and picture show means and intervals over seeds."""

import re

import pytest
from scipy.stats import t

from gendd_mm.benchmark import overview_table, plot_settings

SETTINGS = {'easy': 'with labels', 'hard': 'without'}
METHODS = {'KD; KL without labels': ('kd', 'kl'), 'GenDD': ('gendd',)}


def records() -> list[dict]:
    tops = {
        ('easy', 'kd'): [90.0, 92.0, 94.0],
        ('easy', 'gendd'): [91.0, 91.5, 92.0],
        ('hard', 'kl'): [50.0],
    }
    return [
        dict(setting=setting, method=method, seed=seed, sweep=None, shipped_top1=top1)
        for (setting, method), values in tops.items()
        for seed, top1 in enumerate(values)
    ]


def test_a_row_has_the_method_that_a_setting_ran():
    lines = overview_table(records(), SETTINGS, METHODS).splitlines()
    assert lines[0] == '| method | with labels | without |'
    half = t.ppf(0.975, 2) * 2 / 3**0.5
    assert lines[2] == f'| KD; KL without labels | 92.00 ± {half:.2f} | 50.00 |'
    assert re.fullmatch(r'\| GenDD \| 91\.50 ± \d\.\d\d \|  \|', lines[3])


def test_the_picture_has_every_mean(tmp_path):
    pytest.importorskip('matplotlib')
    path = tmp_path / 'results.svg'
    plot_settings(records(), SETTINGS, METHODS, path)
    text = path.read_text()
    for shown in ('92.0', '91.5', '50.0', 'GenDD', 'without'):
        assert f'<!-- {shown} -->' in text
