"""The ablations on the digits differ from GenDD in a setting, and they run."""

import ast

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from small_models import CONFIGS

ABLATIONS = sorted((CONFIGS / 'digits' / 'ablations').glob('*.py'))
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


@pytest.mark.parametrize('path', ABLATIONS, ids=lambda path: path.stem)
def test_it_differs_in_the_model_alone_and_runs(path, teacher, default):
    cfg = Config.fromfile(path)
    assert {name for name in cfg.keys() | default.keys() if cfg.get(name) != default.get(name)} == {
        'model'
    }

    model = built(cfg, teacher)
    images = torch.randn(2, 3, 8, 8)
    samples = [DataSample().set_gt_label(label) for label in (1, 7)]
    losses = model(images, samples, mode='loss')
    assert all(loss.isfinite().all() for loss in losses.values())
    for sample in model.eval().predict(images, num_draws=2):
        assert sample.pred_score.isfinite().all()

    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text.split('\n')[0].endswith('.')
    assert f'configs/{path.relative_to(CONFIGS)}' in text, 'the command'
    if 'tools/test.py' in text:  # of a checkpoint of the default
        model.load_state_dict(built(default, teacher).state_dict())


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
