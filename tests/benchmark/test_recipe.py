"""The recipe of Fashion-MNIST, and what is wrong with others."""

from pathlib import Path

import pytest
import yaml
from small_models import CONFIGS

from gendd_mm.benchmark import Recipe, Run, configs

RECIPE = CONFIGS / 'fashion_mnist' / 'benchmark.yml'


@pytest.fixture(scope='module')
def recipe() -> Recipe:
    return Recipe.read(str(RECIPE))


def changed(tmp_path: Path, change) -> str:
    """A copy of the recipe with another content, and full paths."""
    content = yaml.safe_load(RECIPE.read_text())
    for setting in content['settings'].values():
        for key in ('teacher', 'refit'):
            setting[key] = str(RECIPE.parent / setting[key])
        setting['methods'] = {
            name: str(RECIPE.parent / config) for name, config in setting['methods'].items()
        }
    change(content)
    path = tmp_path / 'recipe.yml'
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_every_student_config_is_in_it(recipe):
    named = {
        Path(config).resolve()
        for setting in recipe.settings.values()
        for config in (setting.teacher, *setting.methods.values())
    }
    leaves = {
        path for path in (CONFIGS / 'fashion_mnist').rglob('*.py') if '_base_' not in path.parts
    }
    assert named == leaves


def test_the_methods_are_those_that_the_settings_promise(recipe):
    methods = {name: set(setting.methods) for name, setting in recipe.settings.items()}
    rivals = {'student', 'kd', 'dkd', 'mgd', 'lskd', 'simkd'}
    gendd = {'regression', 'gendd_naive', 'gendd', 'gendd_flow', 'gendd_x0'}
    assert methods['supervised'] == rivals | gendd | {'gendd_strength0'}
    assert methods['long_tailed'] == methods['supervised']
    assert methods['unlabeled'] == gendd | {'kl', 'gendd_teacher_labels'}
    assert recipe.seeds == [0, 1, 2]


def test_runs_are_distinct_and_one_seed_comes_first(recipe):
    runs = recipe.runs()
    assert len(set(runs)) == len(runs)
    some = recipe.runs(['unlabeled'], [0])
    assert [run.method for run in some] == ['teacher', *recipe.settings['unlabeled'].methods]
    assert set(some) <= set(runs)
    plain = [run for run in runs if run.sweep is None]
    assert [run.seed for run in plain[4:]] == sorted(run.seed for run in plain[4:])


def test_settings_seeds_and_methods_can_be_chosen(recipe):
    runs = recipe.runs(['unlabeled'], [1], ['kl', 'gendd'])
    assert runs == [Run('unlabeled', 'kl', 1), Run('unlabeled', 'gendd', 1)]
    assert recipe.runs(['unlabeled'], [1], ['teacher']) == [Run('unlabeled', 'teacher', 0)]
    with pytest.raises(ValueError, match=r"no setting of .* \['kd'\]"):
        recipe.runs(['unlabeled'], [1], ['kd'])


def test_an_option_of_a_sweep_reaches_the_config(recipe):
    for sweep in recipe.sweeps:
        run = Run(sweep.setting, sweep.method, 1, sweep.name, sweep.values[0], sweep.retrain)
        cfg = configs.read(recipe, run)
        node = cfg
        for key in sweep.option.split('.'):
            node = node[key]
        assert node == sweep.values[0]
        assert cfg.randomness.seed == 1


def test_a_fingerprint_is_of_settings_and_not_of_paths(recipe, tmp_path):
    run = Run('supervised', 'gendd', 0)
    mark = configs.fingerprint(recipe, run)
    elsewhere = Recipe.read(changed(tmp_path, lambda content: content.update(work_dir='there')))
    assert configs.fingerprint(elsewhere, run) == mark
    others = [
        run._replace(seed=1),
        run._replace(sweep='strength', value=0.5),
        run._replace(method='gendd_x0'),
        run._replace(method='teacher'),
    ]
    marks = [configs.fingerprint(recipe, other) for other in others]
    assert len({mark, *marks}) == 5
    # Another teacher is another student.
    elsewhere.teacher_seed = 7
    assert configs.fingerprint(elsewhere, run) != mark


def test_two_settings_with_one_teacher_train_it_once(recipe):
    folders = {name: configs.work_dir(recipe, Run(name, 'teacher', 0)) for name in recipe.settings}
    assert folders['supervised'] == folders['unlabeled']
    assert folders['supervised'] != folders['long_tailed']


def test_names_that_are_not_there_are_errors(recipe, tmp_path):
    with pytest.raises(ValueError, match='no setting'):
        recipe.runs(['supervized'])
    path = changed(tmp_path, lambda content: content['comparisons'][0].update(against='nkd'))
    with pytest.raises(ValueError, match='nkd'):
        Recipe.read(path)
    path = changed(
        tmp_path, lambda content: content['settings']['unlabeled'].update(teacher='t.py')
    )
    with pytest.raises(FileNotFoundError, match=r't\.py'):
        Recipe.read(path)
