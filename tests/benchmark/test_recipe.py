"""The recipe of Fashion-MNIST, and what is wrong with others."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from published_configs import PUBLISHED
from small_models import CONFIGS

from gendd_mm.benchmark import Method, PreparedRun, Recipe, Run, prepare_runs
from gendd_mm.benchmark.prepared_run import fingerprint
from gendd_mm.benchmark.records import key_of, latest_records, read_records

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
            name: dict(how, config=str(RECIPE.parent / how['config']))
            if isinstance(how, dict)
            else str(RECIPE.parent / how)
            for name, how in setting['methods'].items()
        }
    change(content)
    path = tmp_path / 'recipe.yml'
    path.write_text(yaml.safe_dump(content))
    return str(path)


def prepared(recipe: Recipe, run: Run) -> PreparedRun:
    return prepare_runs(recipe, [run])[0]


def test_every_student_config_is_in_it_or_in_the_recommended_one(recipe):
    recommended = Recipe.read(str(CONFIGS / 'fashion_mnist' / 'recommended.yml'))
    named = {
        Path(method.config).resolve()
        for each in (recipe, recommended)
        for setting in each.settings.values()
        for method in (setting.teacher, *setting.methods.values())
    }
    # A user may keep more configs in the folder.
    assert named == {CONFIGS / name for name in PUBLISHED if name.startswith('fashion_mnist/')}


def test_choices_of_a_setting_and_of_a_method_reach_its_config(recipe):
    runs = [
        Run('supervised', 'kd', 0),
        Run('long_tailed', 'kd', 0),
        Run('supervised_large', 'kd', 0),
    ]
    plain, tail, large = (prepared(recipe, run) for run in runs)
    assert "'imbalance': 100" in str(tail.cfg.train_dataloader)
    assert "'imbalance': 1," in str(plain.cfg.train_dataloader)
    widths = [run.cfg.model.architecture.backbone.base_channels for run in (plain, tail, large)]
    assert widths == [4, 4, 9]
    assert len({run.fingerprint for run in (plain, tail, large)}) == 3


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
        cfg = prepared(recipe, run).cfg
        node = cfg
        for key in sweep.option.split('.'):
            node = node[key]
        assert node == sweep.values[0]
        assert cfg.randomness.seed == 1


def test_a_fingerprint_is_of_settings_and_not_of_paths(recipe, tmp_path):
    run = Run('supervised', 'gendd', 0)
    mark = prepared(recipe, run).fingerprint
    elsewhere = Recipe.read(changed(tmp_path, lambda content: content.update(work_dir='there')))
    assert prepared(elsewhere, run).fingerprint == mark
    others = [
        run._replace(seed=1),
        run._replace(sweep='strength', value=0.5),
        run._replace(method='gendd_x0'),
        run._replace(method='teacher'),
    ]
    marks = [prepared(recipe, other).fingerprint for other in others]
    assert len({mark, *marks}) == 5
    # Another teacher is another student.
    elsewhere.teacher_seed = 7
    assert prepared(elsewhere, run).fingerprint != mark


def values(node: dict | list, *path):
    """Where each value of a config is: the node that holds it, and its keys."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(value, (dict, list)) and value:
            yield from values(value, *path, key)
        else:
            yield node, (*path, key)


def test_a_fingerprint_changes_with_every_setting_but_places(recipe):
    settings = prepared(recipe, Run('supervised', 'gendd', 0)).cfg.to_dict()
    for name in ('work_dir', 'load_from', 'resume'):
        settings.setdefault(name, None)
    mark = fingerprint(Config(settings))
    places = set()
    for node, path in values(settings):
        before, node[path[-1]] = node[path[-1]], 'another value'
        if fingerprint(Config(settings)) == mark:
            places.add(path)
        node[path[-1]] = before
    own = ('work_dir',), ('load_from',), ('resume',), ('env_cfg', 'dist_cfg', 'timeout')
    assert places == {*own, ('teacher_ckpt',), ('model', 'teacher_ckpt')}
    marks = {mark, fingerprint(Config(settings), 2), fingerprint(Config(settings), teacher='a')}
    assert len(marks) == 3


def test_the_committed_lines_count_as_done(recipe):
    """Otherwise their runs would all be run again."""
    lines = latest_records(read_records(recipe.results))
    done = {(*key_of(line), line['fingerprint']) for line in lines}
    assert done <= {run.key for run in prepare_runs(recipe, recipe.runs())}


def test_two_settings_with_one_teacher_train_it_once(recipe):
    runs = prepare_runs(recipe, [Run(name, 'gendd', 0) for name in recipe.settings])
    folders = {run.run.setting: run.teacher.work_dir for run in runs}
    assert folders['supervised'] == folders['unlabeled']
    assert folders['supervised'] != folders['long_tailed']


def test_a_run_of_prediction_alone_tests_what_the_method_trained(recipe):
    sweep = next(sweep for sweep in recipe.sweeps if not sweep.retrain)
    run = Run(sweep.setting, sweep.method, 1, sweep.name, sweep.values[0], retrain=False)
    method, swept = prepare_runs(recipe, [Run(sweep.setting, sweep.method, 1), run])
    assert swept.trains is method.trains is method
    assert swept.teacher is method.teacher
    assert swept.fingerprint != method.fingerprint


def test_a_method_may_train_in_several_processes(tmp_path):

    def change(content):
        methods = content['settings']['supervised']['methods']
        methods['gendd'] = dict(config=methods['gendd'], processes=processes)

    processes = 2
    recipe = Recipe.read(changed(tmp_path, change))
    assert isinstance(recipe.settings['supervised'].teacher, Method)
    runs = [Run('supervised', 'gendd', 0), Run('supervised', 'kd', 0)]
    assert [run.processes for run in prepare_runs(recipe, runs)] == [2, 1]
    processes = 0
    with pytest.raises(ValueError, match='processes=0.* at least 1'):
        Recipe.read(changed(tmp_path, change))


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
