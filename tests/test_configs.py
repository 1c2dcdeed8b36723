"""Every config of ours trains, and says what it is."""

import ast

import pytest
import small_models
import torch
from mmengine.config import Config
from small_models import CONFIGS

LEAVES = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob('*.py')
    # The ablations have tests/test_ablations.py.
    if not {'_base_', 'ablations'}.intersection(path.parts)
)
# Those on data and networks of a size for a test; the others have tests of
# their own numbers.
DIGITS = [name for name in LEAVES if 'digits' in name]


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> str:
    return small_models.digits_teacher(tmp_path_factory.mktemp('teacher') / 'teacher.pth')


@pytest.mark.parametrize('name', LEAVES)
def test_it_says_what_it_is_and_how_to_run_it(name):
    text = ast.get_docstring(ast.parse((CONFIGS / name).read_text()))
    assert text, 'a config is one experiment; its docstring says which'
    assert text.split('\n')[0].endswith(('.', ':'))
    assert f'configs/{name}' in text, 'the command'


@pytest.mark.parametrize('name', LEAVES)
def test_it_reads_and_imports_what_it_needs(name):
    cfg = Config.fromfile(CONFIGS / name)
    assert cfg.custom_imports.imports == ['gendd_mm']
    assert cfg.default_scope == 'mmpretrain'
    assert Config.fromstring(cfg.pretty_text, '.py').model == cfg.model
    assert not cfg.get('find_unused_parameters', False)


@pytest.mark.parametrize('name', DIGITS)
def test_it_trains_and_evaluates(name, teacher, tmp_path):
    cfg = small_models.shrunk(name, tmp_path, teacher)
    cfg.train_dataloader.dataset.indices = 16  # two steps
    cfg.val_dataloader.dataset.indices = 10
    cfg.train_cfg.max_epochs = 1
    runner = small_models.trained(cfg)
    assert runner.iter == 2
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert all(
        value.isfinite().all()
        for value in state['state_dict'].values()
        if value.is_floating_point()
    )
    metrics = runner.val_loop.run()
    assert metrics
    assert all(0 <= value <= 100 for value in metrics.values())
    if 'GenDD' in cfg.model.type:
        trains = cfg.model.architecture.head.get('trainable', True)
        assert ('probe/top1' in metrics) == trains
        assert 'gen/top1' in metrics


def test_the_comparisons_differ_in_the_method_alone():
    """Same student, data, optimiser, epochs: a fair comparison."""
    student = Config.fromfile(CONFIGS / 'digits' / 'student_digits.py')
    for name in ('gendd_digits.py', 'digits/kd_digits.py', 'digits/dkd_digits.py'):
        cfg = Config.fromfile(CONFIGS / name)
        assert cfg.model.architecture.backbone == student.model.backbone
        assert cfg.model.architecture.neck == student.model.neck
        for part in ('train_cfg', 'param_scheduler', 'randomness'):
            assert cfg[part] == student[part], (name, part)
        assert cfg.optim_wrapper.optimizer == student.optim_wrapper.optimizer
        total = cfg.train_dataloader.batch_size * (1 + ('gendd' in name))
        assert total == student.train_dataloader.batch_size
