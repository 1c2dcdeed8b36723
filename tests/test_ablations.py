"""The ablations on the digits differ from GenDD in a setting, and they run."""

import ast

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from published_configs import ABLATIONS, CHOICES, of_file
from small_models import CONFIGS

DEFAULT = CONFIGS / 'gendd_digits.py'


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """The teacher of the digits, built once for all."""
    cfg = Config.fromfile(CONFIGS / 'digits' / 'teacher_digits.py')
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    model.init_weights()
    return model


@pytest.fixture(scope='module')
def default() -> Config:
    return Config.fromfile(DEFAULT)


def built(cfg: Config, teacher):
    model = dict(
        cfg.model,
        teacher=teacher,
        teacher_ckpt=None,
        data_preprocessor=cfg.data_preprocessor,
        _scope_='mmpretrain',
    )
    return MODELS.build(model)


@pytest.mark.parametrize('experiment', [e for name in ABLATIONS for e in of_file(name)], ids=str)
def test_it_differs_in_the_model_alone_and_runs(experiment, teacher, default):
    cfg = experiment.read()
    differing = {name for name in cfg.keys() | default.keys() if cfg.get(name) != default.get(name)}
    assert differing - {'work_dir'} == {'model'}

    model = built(cfg, teacher)
    images = torch.randn(2, 3, 8, 8)
    samples = [DataSample().set_gt_label(label) for label in (1, 7)]
    losses = model(images, samples, mode='loss')
    assert all(loss.isfinite().all() for loss in losses.values())
    for sample in model.eval().predict(images, num_draws=2):
        assert sample.pred_score.isfinite().all()

    text = ast.get_docstring(ast.parse((CONFIGS / experiment.name).read_text()))
    assert text.split('\n')[0].endswith('.')
    assert f'configs/{experiment.name}' in text, 'the command'
    for variable, _ in experiment.choice:
        assert f'{variable}=' in text, 'the command has the choice'
    if 'tools/test.py' in text:  # of a checkpoint of the default
        model.load_state_dict(built(default, teacher).state_dict())


@pytest.mark.parametrize('name', [name for name in ABLATIONS if name in CHOICES])
def test_the_experiments_of_a_file_differ_in_one_setting(name):
    models = [leaves(experiment.read().model) for experiment in of_file(name)]
    (changed,) = {key for key in models[0] if any(m[key] != models[0][key] for m in models)}
    found = [float(model[changed]) for model in models]
    assert found == [float(value) for e in of_file(name) for _, value in e.choice]


def leaves(node: dict, path: str = '') -> dict:
    """Every setting of a nested config by its path."""
    found = {}
    for key, value in node.items():
        inner = f'{path}.{key}'
        found.update(leaves(value, inner) if isinstance(value, dict) else {inner: value})
    return found


@pytest.mark.parametrize(
    ('name', 'processes'),
    [('lskd', 1), ('mgd', 1), ('simkd', 1), ('simkd_linear', 1), ('regression', 2)],
)
def test_the_baselines_have_the_budget_of_the_student_alone(name, processes):
    cfg, student = (
        Config.fromfile(CONFIGS / 'digits' / f'{each}_digits.py') for each in (name, 'student')
    )
    assert cfg.model.architecture.backbone == student.model.backbone
    for part in ('train_cfg', 'param_scheduler', 'optim_wrapper', 'randomness'):
        assert cfg[part] == student[part], part
    loader, alone = cfg.train_dataloader, student.train_dataloader
    assert loader.batch_size * processes == alone.batch_size
    assert loader.dataset == alone.dataset
