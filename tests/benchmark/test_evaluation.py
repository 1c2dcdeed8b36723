"""Every method of the recipe is measured in each way that it has."""

import pytest
import synthetic_fashion_mnist
import torch
from mmengine.registry import MODELS, DefaultScope
from small_models import CONFIGS, quickly

from gendd_mm.benchmark import Recipe, Run, prepare_runs
from gendd_mm.benchmark.evaluation import evaluate

RECIPE = Recipe.read(str(CONFIGS / 'fashion_mnist' / 'benchmark.yml'))
RUNS = prepare_runs(
    RECIPE,
    [
        Run(setting, method, 0)
        for setting in ('supervised', 'unlabeled')
        for method in RECIPE.settings[setting].methods
    ]
    + [Run('long_tailed', 'gendd', 0), Run('long_tailed', 'kd', 0)],
)


@pytest.fixture(scope='module')
def images(tmp_path_factory) -> str:
    return synthetic_fashion_mnist.write(tmp_path_factory.mktemp('data') / 'fashion_mnist')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> str:
    return saved(RUNS[0].teacher.cfg, tmp_path_factory.mktemp('teacher') / 'teacher.pth')


def saved(cfg, path) -> str:
    """A checkpoint of the config's model; no step was trained."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


def at(cfg, images: str):
    """The config with its data elsewhere."""
    text = cfg.pretty_text.replace(cfg.data_root, images)
    return cfg.fromstring(text, '.py')


@pytest.mark.slow
@pytest.mark.parametrize('run', RUNS, ids=lambda run: run.run.name)
def test_it_is_measured(run, images, teacher, tmp_path):
    cfg = at(run.runner_config(teacher), images)
    cfg.work_dir = str(tmp_path)
    refit = at(run.refit, images)
    run = run.run
    if run.method == 'kd':  # a run may test several sets as one
        inner = cfg.test_dataloader.dataset.to_dict()
        cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[inner])
    with quickly():
        result = evaluate(cfg, saved(cfg, tmp_path / 'epoch_1.pth'), refit)

    generative = run.method.startswith(('gendd', 'regression', 'simkd'))
    own_classifier = run.method != 'simkd' and not (generative and run.setting == 'unlabeled')
    has = {name: result[f'{name}_top1'] is not None for name in ('gen', 'probe', 'shipped')}
    assert has['gen'] == generative
    assert has['probe'] == own_classifier
    assert has['shipped'] == (own_classifier or run.method == 'simkd')
    # Patterns so plain that random features do better than chance, 10.
    assert result['refit_top1'] > 15
    own = 'probe' if own_classifier else 'gen'
    if has['shipped']:
        assert result['shipped_top1'] == result[f'{own}_top1']
    assert result['gmacs'] >= result['student_gmacs'] > 0
    ways = set() if run.method == 'student' else {'teacher'}
    if ways and run.setting != 'unlabeled':
        ways |= {'both'}
    if run.method.startswith(('gendd', 'regression')):
        ways |= {'generated', 'folded'}
    if run.method.startswith('gendd'):
        ways |= {'one_step'}
    assert set(result['probes']) == ways
    shots = {name.partition('/')[2] for name in result['groups']}
    assert shots == ({'many', 'medium', 'few'} if run.setting == 'long_tailed' else set())
